"""A message to somebody: its place in the ledger, one for each event, recipient and template.

The ledger holds no text and no address: the words follow from the template, the address is opened when it is sent.
What happens to a message is told to nobody else, so its events have no topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.cases.bodies import Change, Input, Reason
from shared.cases.case import NEW, Case, Move, Timer, Told, Turn, states
from shared.clock import derived_id
from shared.contracts.base import Code, Event, Id, Instant
from shared.identity.roles import BY_OFFICER

Recipient = Literal["expert", "host", "office"]
Status = Literal["held", "queued", "sent", "bounced", "dropped", "failed"]
# Why a message is not sent, beside what an officer says.
OPTED_OUT = "opted_out"
EXPIRED, NO_LONGER_DUE, ERASED, TAKEN_BACK = "message_expired", "no_longer_due", "person_erased", "fact_taken_back"
NO_ADDRESS, ADDRESS_REFUSED, CHANNEL_AWAY = "no_address", "address_refused", "channel_away"


def message_id(event: str, recipient: str, template: str) -> str:
    """The key of the ledger: a retry finds the message, a new event of the same type makes another one."""
    return derived_id("message", event, recipient, template)


def mails_of(id: str) -> tuple[str, str]:
    """The ids of a message's mails: to the first address, and to the second where it goes to two."""
    return id, derived_id("second mail", id)


def office_recipient(programme: str | None, office: str | None) -> str:
    """One of two programmes may have another address for an office of one code; no id has a slash in it."""
    return f"{programme or ''}/{office or ''}"


def recipient_of(said: Mapping[str, Any]) -> str:
    """Whom a message with these fields is for: the id of the person or the institution; of an office its code, behind
    that of the programme."""
    one: str | None = said.get("person") or said.get("institution")
    return one or office_recipient(said.get("programme"), said.get("office"))


class _Says(BaseModel):
    """What a message says, by codes and ids. `event`: the id of what it tells of, and `sequence` its place among the
    case's; `about`: the topic of the case, and `subject` the case. `person`, `institution`: whom it is for; else it is
    for the `office`, which otherwise is that of the case. `until`: what it names as the last instant. `due_at`: not
    sent before; `expires_at`: nor after.
    """

    template: Code
    event: Id
    sequence: int | None = None
    about: Code
    subject: Id
    person: Id | None = None
    institution: Id | None = None
    office: Code | None = None
    programme: Code | None = None
    programme_version: int | None = None
    until: Instant | None = None
    due_at: Instant
    expires_at: Instant


class Notice(_Says, Input):
    """What is to be written; `held`: it waits until an officer has looked at it."""

    held: bool = False


class Message(BaseModel):
    """`round` counts the releases; `reason`: why it was not sent, or did not arrive."""

    model_config = ConfigDict(frozen=True)

    status: Status
    template: str
    event: str
    sequence: int | None = None
    about: str
    subject: str
    person: str | None = None
    institution: str | None = None
    office: str | None = None
    programme: str | None = None
    programme_version: int | None = None
    until: Instant | None = None
    due_at: Instant
    expires_at: Instant
    opened_at: Instant
    round: int = 0
    reason: str | None = None

    @property
    def to(self) -> Recipient:
        return "expert" if self.person else "host" if self.institution else "office"

    @property
    def recipient(self) -> str:
        """`recipient_of` it."""
        return recipient_of(vars(self))


class _Untold(Event):
    topic: ClassVar[str] = ""


class _Written(_Says, _Untold):
    pass


class MessageQueued(_Written):
    """A message waits for its time to be sent."""

    leads_to: ClassVar[str | None] = "queued"


class MessageHeld(_Written):
    """A message waits for an officer to release it."""

    leads_to: ClassVar[str | None] = "held"


class MessageReleased(_Untold):
    """The message may be sent now."""

    leads_to: ClassVar[str | None] = "queued"
    due_at: Instant


class MessageStopped(_Untold):
    """The message is held until it is released."""

    leads_to: ClassVar[str | None] = "held"


class MessageDropped(_Untold):
    """The message is not sent."""

    leads_to: ClassVar[str | None] = "dropped"
    reason: Code


class MessageSent(_Untold):
    """The channel has taken the message."""

    leads_to: ClassVar[str | None] = "sent"


class MessageBounced(_Untold):
    """The recipient's server refuses the message for good."""

    leads_to: ClassVar[str | None] = "bounced"
    reason: Code


class MessageFailed(_Untold):
    """The message could not be sent."""

    leads_to: ClassVar[str | None] = "failed"
    reason: Code


def held_or_queued(turn: Turn[Message, Notice]) -> Told:
    """What an officer has to look at first is held."""
    said = {name: getattr(turn.body, name) for name in _Says.model_fields}
    return [(MessageHeld if turn.body.held else MessageQueued)(happened_at=turn.now, **said)]


def due_now(turn: Turn[Message, Change]) -> Told:
    """What is released goes out at once, or when its own time comes."""
    return {"due_at": max(turn.now, turn.state.due_at)}


def fold(state: Message | None, event: Any) -> Mapping[str, Any]:
    """What an event changes beside the status and the fields of its own names."""
    if isinstance(event, MessageReleased) and state is not None:
        return {"round": state.round + 1, "reason": None}
    return {"reason": None} if isinstance(event, MessageSent | MessageStopped) else {}


def waits(state: Message) -> Timer | None:
    """A queued message for its time, a held one for the end of it; what did not arrive waits for a person alone."""
    at: Mapping[str, datetime] = {"queued": state.due_at, "held": state.expires_at}
    return Timer(at[state.status], None) if state.status in at else None


WAITS = states("held", "queued")
NOT_ARRIVED = states("bounced", "failed")

MESSAGE = Case(
    "messages",
    Message,
    (
        Move("write", states(NEW), (MessageQueued, MessageHeld), body=Notice, rule=held_or_queued),
        Move("release", states("held") | NOT_ARRIVED, MessageReleased, by=BY_OFFICER, rule=due_now),
        Move("hold-back", states("queued"), MessageStopped, by=BY_OFFICER, aside=True),
        Move(
            "discard",
            WAITS | NOT_ARRIVED,
            MessageDropped,
            body=Reason,
            by=BY_OFFICER,
            reasons=("told_otherwise", "no_longer_true", "mistaken_entry", "own_request", "unreachable"),
            example={"reason": "told_otherwise"},
            aside=True,
        ),
        # Whoever holds or drops it while it is just being sent comes too late, and reads so.
        Move("confirm", states("queued", "held", "dropped"), MessageSent, overtaken="nothing"),
        Move("return", states("queued"), MessageBounced, body=Reason, reasons=(ADDRESS_REFUSED,), overtaken="nothing"),
        Move(
            "give-up",
            states("queued"),
            MessageFailed,
            body=Reason,
            reasons=(NO_ADDRESS, CHANNEL_AWAY),
            overtaken="nothing",
        ),
        Move(
            "lapse",
            WAITS,
            MessageDropped,
            body=Reason,
            reasons=(EXPIRED, NO_LONGER_DUE, TAKEN_BACK, ERASED, NO_ADDRESS, OPTED_OUT),
            overtaken="nothing",
        ),
    ),
    fold,
    readers={"expert": "own", "host": "institution", "officer": "office", "protection": "all"},
    filters=("programme",),
    timer=waits,
)
