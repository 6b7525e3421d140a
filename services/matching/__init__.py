"""Matching: terms of reference, applications, scores, shortlists, seats and offers.

It owns assignments, matches and the pools of open matches a person. It knows a person's coded attributes under an
id, never a name; it never puts an attribute on a topic, never opens a placement, and never gives back a seat
before placement has answered.
"""
