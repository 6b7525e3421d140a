"""The edges of imports: tables that an office sends, looked through and then recorded."""
