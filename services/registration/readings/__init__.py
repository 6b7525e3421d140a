"""What people see of identifiers and of who read them: JSON and pages. The rules are in `work/readings.py`."""
