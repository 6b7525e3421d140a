"""A draft of an application as its code opens it, and what a part of its form sends."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from services.registration.domain.drafts import EMAIL, Draft, Typed, folded, grouped, mail_address, same_address
from shared.identity.digests import derived_key, keyed_digest

OFFICE = "/office"


@dataclass(frozen=True)
class Fact:
    """What whoever comes back is asked to repeat: where it was typed, and a digest of it under the draft's key."""

    pointer: str
    digest: str


@dataclass(frozen=True)
class Opened:
    """A draft that its code has opened. `code`: as it is compared; `key`: with which what was typed is sealed;
    `renews`: it is the code of a link by mail, which takes the place of the one before when it is used; `offices`: the
    codes of its programme's."""

    id: str
    code: str
    draft: Draft
    key: bytes
    typed: Typed = ()
    fact: Fact | None = None
    renews: bool = False
    offices: frozenset[str] = frozenset()

    @property
    def address(self) -> str | None:
        """To which a new link is sent, and reminders; None while no address of mail is typed."""
        return mail_address(dict(self.typed).get(EMAIL, ""))

    @property
    def office(self) -> str:
        """The office that was chosen; empty while none is, and for a text that is none of the programme's.

        It goes into the trail and into answers to offices, where nothing may stand that somebody typed.
        """
        typed = dict(self.typed).get(OFFICE, "")
        return typed if typed in self.offices else ""

    @property
    def claim(self) -> tuple[bool, bool, int, datetime]:
        """In which order the drafts of one address are listed, the first first: anybody may type anybody's address.

        Of one whose link came to that address and was used it is known that its person reads the box.
        """
        draft, said = self.draft, {name for name, value in self.typed if value.strip()}
        return draft.proven != self.address_digest, draft.sent == 0, -len(said), draft.began_at

    @property
    def address_digest(self) -> str:
        return keyed_digest(derived_key(self.key, "address"), same_address(self.address or ""))

    @property
    def shown_code(self) -> str:
        """The code as people read it."""
        return grouped(self.code)

    def is_repeated(self, said: str) -> bool:
        """Whether it is the fact that was typed; nothing has to be repeated where nothing was."""
        return self.fact is None or hmac.compare_digest(self._digest(self.fact.pointer, said), self.fact.digest)

    def with_fact(self, pointer: str | None, said: str) -> Opened:
        fact = Fact(pointer, self._digest(pointer, said)) if pointer else None
        return replace(self, fact=fact)

    def _digest(self, pointer: str, said: str) -> str:
        return keyed_digest(derived_key(self.key, "fact"), folded(pointer, said))


@dataclass(frozen=True)
class Sent:
    """What one part of the form sends: its fields, and the names of all that the part has.

    `facts`: by pointer what stands in fields that somebody can be known by. `language`: of the page; `reminds`: whether
    reminders are wanted, None where the part does not ask.
    """

    fields: Typed
    names: frozenset[str]
    facts: Callable[[Typed], Mapping[str, str]]
    language: str
    reminds: bool | None = None
