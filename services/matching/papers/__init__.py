"""Papers of matching: the terms of reference."""
