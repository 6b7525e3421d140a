"""What a guard asks of the case that a hold was taken for (docs/kernel.md, section 3)."""

from __future__ import annotations

from typing import Literal

# It may still use the hold, it uses it, it never can again.
Usage = Literal["pending", "used", "spent"]
