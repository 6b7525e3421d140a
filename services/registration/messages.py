"""What each caller sees of a message: an officer all of it but the address, its recipient what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from services.registration.domain.messages import MESSAGE, Recipient
from services.registration.domain.notices import NOTICES, TEMPLATES
from services.registration.mailing.wording import Reader, worded
from services.registration.work.recipients import Recipients
from services.registration.work.sending import PUT_OFF, TRIED
from shared.clock import instant_of
from shared.contracts.base import Instant
from shared.identity.tokens import Principal
from shared.store.port import Document
from shared.web.acting import Seen
from shared.web.callers import Granted
from shared.web.pages.languages import LANGUAGES

Language = Annotated[str, Field(json_schema_extra={"enum": list(LANGUAGES)})]
About = Annotated[str, Field(json_schema_extra={"enum": sorted({event.topic for event in NOTICES})})]
Template = Annotated[str, Field(json_schema_extra={"enum": list(TEMPLATES)})]


class Preview(BaseModel):
    """What a message says in one language; `headline` is the line by which a mail is listed."""

    model_config = ConfigDict(frozen=True)

    language: Language
    headline: str
    text: str


class MessageSeen(Seen):
    """`template`: what kind of thing is told; `to`: who is told; `about`: the topic of the case and `subject` the case.
    `due_at`: not sent before, for the night and for one mail a day as well; `not_after`: nor after that. `reason`:
    why it was not sent, or did not arrive. `tried`: how often, since it was last released. `preview`: where one
    message is read, what it says: to officers in each language, to its recipient in the own one.
    """

    template: Template
    to: Recipient
    about: About
    subject: str
    until: Instant | None
    opened_at: Instant
    due_at: Instant
    not_after: Instant
    reason: str | None
    person: str | None
    institution: str | None
    office: str | None
    programme: str | None
    tried: int = 0
    preview: tuple[Preview, ...] = ()


def message(document: Document, principal: Principal) -> MessageSeen:
    state = MESSAGE.state.model_validate(document["state"])
    tried = document["private"].get(TRIED, {})
    of_offices = {"tried": tried.get("times", 0)} if principal.role in ("officer", "protection") else {}
    said = state.model_dump(exclude={"status", "event", "sequence", "round", "programme_version", "expires_at"})
    put_off = document["private"].get(PUT_OFF) if state.status == "queued" else None
    if put_off is not None:
        said["due_at"] = max(state.due_at, instant_of(put_off))
    return MessageSeen(
        id=document["_id"],
        version=document["version"],
        state=state.status,
        to=state.to,
        not_after=state.expires_at,
        **said,
        **of_offices,
    )


class Previewed:
    """The words of a message where one is read. Its address is not opened for that."""

    def __init__(self, recipients: Recipients, base_url: str) -> None:
        self._recipients = recipients
        self._base_url = base_url

    async def to_its_reader(self, document: Document, granted: Granted) -> Mapping[str, Any]:
        """Raises TooEarly, Unavailable."""
        state = MESSAGE.state.model_validate(document["state"])
        languages: tuple[str, ...] = tuple(LANGUAGES)
        if granted.principal.role in ("expert", "host"):
            languages = (await self._recipients.language_of(state),)
        zone = self._recipients.zone_of(state)
        leads = await self._recipients.lead(state)
        found = {one: worded(state, Reader(one), zone, self._base_url, leads=leads) for one in languages}
        return {"preview": tuple(Preview(language=one, headline=w.subject, text=w.text) for one, w in found.items())}
