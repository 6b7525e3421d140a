"""A draft of an application as its code opens it, and what a part of its form sends."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

from services.registration.domain.drafts import (
    EMAIL,
    Draft,
    Typed,
    folded,
    grouped,
    mail_address,
    region_of,
    same_address,
)
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
    def is_proven(self) -> bool:
        """Whether a link came to its address and was used, so that its person is known to read that box."""
        return self.draft.proven == self.address_digest

    @property
    def claim(self) -> tuple[bool, bool, int, datetime]:
        """How much speaks for its being the application of whoever reads the box at its address, the most first."""
        draft, said = self.draft, {name for name, value in self.typed if value.strip()}
        return not self.is_proven, draft.sent == 0, -len(said), draft.began_at

    @property
    def address_digest(self) -> str:
        return keyed_digest(derived_key(self.key, "address"), same_address(self.address or ""))

    @property
    def shown_code(self) -> str:
        """The code as people read it."""
        return grouped(self.code)

    def is_repeated(self, said: str) -> bool:
        """Whether it is the fact that was typed; nothing has to be repeated where nothing was."""
        if self.fact is None:
            return True
        return any(hmac.compare_digest(one, self.fact.digest) for one in self._digests(self.fact.pointer, said))

    def with_fact(self, pointer: str | None) -> Opened:
        """With what was typed there as the fact, in the last of its forms."""
        fact = Fact(pointer, self._digests(pointer, dict(self.typed)[pointer])[-1]) if pointer else None
        return replace(self, fact=fact)

    def _digests(self, pointer: str, said: str) -> list[str]:
        key, region = derived_key(self.key, "fact"), region_of(dict(self.typed))
        return [keyed_digest(key, one) for one in folded(pointer, said, region)]


# In which the drafts of one address come by turns: anybody may type anybody's address into as many as they like, and
# whoever comes first in one order does not in the others.
_ORDERS: tuple[Callable[[Opened], Any], ...] = (
    lambda one: one.claim,
    lambda one: one.draft.began_at,
    lambda one: -one.draft.edited_at.timestamp(),
)


def foremost(drafts: Sequence[Opened], at_most: int) -> list[Opened]:
    """Of the drafts of one address those that a mail with new links lists: the proven ones, then by turns those for
    which most speaks, those that were begun first and those that were edited last."""
    proven = sorted((one for one in drafts if one.is_proven), key=lambda one: one.claim)
    turns = chain.from_iterable(zip(*(sorted(drafts, key=order) for order in _ORDERS), strict=True))
    chosen = {one.id: one for one in chain(proven, turns)}
    return list(chosen.values())[:at_most]


def of_each_order(drafts: Sequence[Opened], at_most: int) -> list[Opened]:
    """Those of which alone `foremost` chooses, whatever comes besides."""
    first = chain.from_iterable(sorted(drafts, key=order)[:at_most] for order in _ORDERS)
    return list({one.id: one for one in first}.values())


@dataclass(frozen=True)
class Sent:
    """What one part of the form sends: its fields, and the names of all that the part has.

    `language`: of the page; `reminds`: whether reminders are wanted, None where the part does not ask. `form`: which
    form it is, one each time that a page is shown; `after`: the form that had changed the part last when it was shown,
    empty for none. Where neither is said, whatever stands is replaced.
    """

    fields: Typed
    names: frozenset[str]
    language: str
    reminds: bool | None = None
    form: str | None = None
    after: str | None = None

    def knows(self, last: str) -> bool:
        """Whether its form began with what stands, or is itself what stands: what `last` has changed last."""
        return self.form is None or last in (self.form, self.after)
