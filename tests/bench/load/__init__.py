"""A last day of a call, offered from outside through HTTP: `make bench-load`.

The generator is a process of its own that reaches the system over loopback alone. In one run the same load is offered
to this build and to the build of an earlier commit, which gets a folder and an environment of its own.
"""
