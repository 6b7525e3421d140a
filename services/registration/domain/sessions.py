"""Sessions of an account: who signed in where, until when, and what of it the others have not seen yet.

A session ends an hour after its last page and twelve hours after its beginning (NIST SP 800-63B, section 4.2.3, at the
second level), when it is ended, or when the store was restored from a backup.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Instant
from shared.identity.roles import Role

IDLE = timedelta(hours=1)
LIFE = timedelta(hours=12)
# A sign of life is written no oftener, so that reading pages writes next to nothing.
SEEN_EVERY = timedelta(minutes=4)
# The one that was seen longest ago ends for one more.
SESSIONS_AT_MOST = 20


class Session(BaseModel):
    """`id`: names it and opens nothing; `epoch`: of the store in which it began; `browser`: two words at most.

    `looked_at`: when whoever is in it last saw the list of sessions.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    role: Role
    office: str | None = None
    browser: str = ""
    epoch: int
    began_at: Instant
    seen_at: Instant
    looked_at: Instant

    @property
    def until(self) -> datetime:
        return min(self.seen_at + IDLE, self.began_at + LIFE)


class Account(BaseModel):
    """Of whoever signs in: the sessions, the language that was chosen last, and the one of the page that was last read,
    which a browser may have asked for."""

    model_config = ConfigDict(frozen=True)

    sessions: tuple[Session, ...] = ()
    language: str | None = None
    reads: str | None = None

    @property
    def written_to_in(self) -> str | None:
        return self.language or self.reads

    def live(self, now: datetime, epoch: int) -> tuple[Session, ...]:
        """Those that have not ended, the latest to begin first."""
        found = (one for one in self.sessions if one.epoch == epoch and now < one.until)
        return tuple(sorted(found, key=lambda one: one.began_at, reverse=True))

    def find(self, session: str, now: datetime, epoch: int) -> Session | None:
        return next((one for one in self.live(now, epoch) if one.id == session), None)

    def with_one(self, session: Session, now: datetime) -> Account:
        """The session added or put in the place of what it was before; what has ended is no longer kept."""
        others = [one for one in self.live(now, session.epoch) if one.id != session.id]
        others.sort(key=lambda one: one.seen_at, reverse=True)
        return self.model_copy(update={"sessions": (session, *others[: SESSIONS_AT_MOST - 1])})

    def without(self, session: str | None) -> Account:
        """Without that session; None: without any."""
        left = tuple(one for one in self.sessions if session is not None and one.id != session)
        return self.model_copy(update={"sessions": left})

    def news_for(self, session: Session, now: datetime) -> tuple[Session, ...]:
        """The sessions that began since whoever is in this one last saw the list."""
        live = self.live(now, session.epoch)
        return tuple(one for one in live if one.id != session.id and one.began_at > session.looked_at)


def browser_of(agent: str) -> str:
    """Browser and system as people call them, such as `Firefox, Android`; empty where neither is known.

    No more of the header is kept: versions and devices would tell one person's browser from others'.
    """
    families = {
        "Edg": "Edge",
        "OPR/": "Opera",
        "SamsungBrowser": "Samsung Internet",
        "Firefox": "Firefox",
        "Chrome": "Chrome",
        "Safari": "Safari",
    }
    systems = {
        "Android": "Android",
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Windows": "Windows",
        "Mac OS X": "macOS",
        "Linux": "Linux",
    }
    found = (next((name for mark, name in known.items() if mark in agent), "") for known in (families, systems))
    return ", ".join(one for one in found if one)
