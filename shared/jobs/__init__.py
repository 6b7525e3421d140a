"""Long work as documents that timers move a bounded chunk at a time (docs/jobs.md)."""
