"""Pages that are written by hand but for a part between two marks, which is generated."""

from __future__ import annotations


def with_part(page: str, name: str, text: str) -> str:
    """The page with what stands between the marks of that name written anew. ValueError for a page without them."""
    begins, ends = f"<!-- generated: {name} -->", "<!-- end of what is generated -->"
    before, _, rest = page.partition(begins)
    _, end, after = rest.partition(ends)
    if not end:
        raise ValueError(f"the page lacks {begins} or {ends}")
    return f"{before}{begins}\n\n{text}\n{ends}{after}"
