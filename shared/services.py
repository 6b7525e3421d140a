"""The services that there are, by name: the first part of their paths, their topics' owners and their stores."""

from __future__ import annotations

SERVICES = ("registration", "matching", "placement", "monitoring")
