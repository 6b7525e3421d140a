"""Published figures in the forms that others read: pure writers, from statements and a definition to a file."""
