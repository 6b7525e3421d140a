"""Journeys of people through the pages: steps as data, lived in a browser by each cell of a matrix.

A cell says in which language, how wide the window is, and how it is used: with script, without, or by keys alone.
The suite lives one cell of each journey, `make journeys` all of them, with a line that is killed and a session that
ends at every field.
"""
