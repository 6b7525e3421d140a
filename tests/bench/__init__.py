"""Benchmarks: `make bench`, on real servers `make bench-real`; one of them by `make bench ARGS="--only NAME"`.

A benchmark is `async def rows(quick: bool) -> list[Row | NotMeasured]` in a module of this package, named in
`tests.bench.__main__.BENCHMARKS`. Nothing here asserts a time: a figure that is short of its goal is a row.
"""
