"""The rules of registration: pure functions over frozen models."""
