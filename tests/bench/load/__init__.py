"""A last day of a call, offered from outside through HTTP: `make bench-load`.

The generator is a process of its own that reaches the system over loopback alone. In one run the same load is offered
to this build and to the build of an earlier commit, which gets a folder and an environment of its own.

Each part is a command of its own, `make bench-load ARGS="--only load-NAME"`, and bounded; in minutes about, and at most
where every wait lasts as long as it may: `load-cost` 6 (20), `load-sustained` 18 (50), `load-overload` 6 (14),
`load-kill` and `load-freeze` 4 (12) each, `load-held` 24 (30); all 62 (138), and once before them the earlier build's
environment. `load-held` holds for ten minutes what `load-sustained` found last, and the goals of the faults are shares
of it. The generator shares the cores with the system; each line says what it took.
"""
