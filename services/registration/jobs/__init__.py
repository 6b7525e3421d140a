"""Long work of registration, a module a kind."""
