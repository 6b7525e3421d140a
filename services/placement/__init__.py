"""Placement owns what is delivered: placements from the accepted offer to the completed return, and calendars.

It never chooses an expert, never knows a name, and never counts an indicator.
"""
