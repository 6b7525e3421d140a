"""Monitoring owns what is known: facts, indicators, and what they look like to whom.

It never changes a case, never knows a name, and keeps no counter: a figure is a query over facts.
"""
