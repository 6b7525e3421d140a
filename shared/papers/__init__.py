"""Papers: what somebody takes away as a PDF, typeset from a template and data (docs/papers.md)."""
