"""pretalx beside our pages: the best applicant's form among the peers, in processes of its own on the same machine.

`seed.py` runs as a script with the Python of pretalx's environment: it imports nothing of the project.
"""
