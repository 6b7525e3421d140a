"""Tables that people send: CSV files and workbooks, read as text in a process of its own."""
