"""Consumers of other making beside ours, on the same events of one topic of a real Kafka and with one projection.

`counting.py` and the files that take a `Task` from it run as scripts, each in a process of its own and with the
Python of the peers' environment: they import nothing of the project. `ours.py` runs with the project's own Python.
"""
