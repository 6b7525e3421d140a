"""What a service does with each type of event that it listens to: what is known after it, and what follows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from shared.clock import derived_id
from shared.contracts.base import Envelope, Event
from shared.messaging.heads import Reissue
from shared.store.aggregates import Cause

Knowledge = dict[str, Any]


@dataclass(frozen=True)
class Delivery:
    """One event on its way through a handler: envelope, body, and what is known of its subject by now.

    `effect`: the name of the effect that gets it, where its handler has several.
    """

    envelope: Envelope
    event: Event
    knowledge: Knowledge
    effect: str = ""

    @property
    def subject(self) -> str:
        return self.envelope.subject

    def cause(self, step: str) -> Cause:
        """Why an effect runs; its id follows from the event and the names, its lateness from the event's own."""
        names = (self.effect, step) if self.effect else (step,)
        return Cause(
            command_id=derived_id(self.envelope.id, *names),
            correlation_id=self.envelope.correlation_id,
            causation_id=self.envelope.id,
            traceparent=self.envelope.traceparent,
            happened_at=self.event.happened_at if self.event.recorded_late else None,
            recorded_late=self.event.recorded_late,
        )


class Know(Protocol):
    """A knower: what it knows of a subject after an event. Pure; its name says where that stands in the shadow."""

    __name__: str

    def __call__(self, known: Any, event: Any, envelope: Envelope, /) -> Knowledge: ...


Effect = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True)
class Handler:
    """What a service does with one type of event. `know` is pure; an effect loads, decides and saves.

    `effects`: several by name, one after the other as they stand here; a name is part of its commands' ids. ValueError
    beside `effect`, which has none.

    `by_itself`: what it does follows from the event alone, and nobody whom it concerns asks what is known of the
    subject; so nothing has to be known in the store before it.

    `wakes`: what in this process waits to hear of the subject. It runs after the mark, and nothing may be lost where
    it does not run; so that it needs no save of its own before it.

    `reissue` is for the owner of a compacted topic: how the current record is said again where an older one of the
    subject stands last, which would be what compaction keeps.

    `stops`: what it does holds people up and begins nothing, so it does not wait where its subject is parked. It then
    comes twice, and an earlier event of the subject may come in between: what is known and the guards go by
    (epoch, sequence), never by arrival.
    """

    know: Know | None = None
    effect: Effect | None = None
    effects: Mapping[str, Effect] = field(default_factory=dict)
    by_itself: bool = False
    wakes: Effect | None = None
    reissue: Reissue | None = None
    stops: bool = False

    def __post_init__(self) -> None:
        if self.effect and self.effects:
            raise ValueError("one effect, or several that are named")

    @property
    def acts(self) -> bool:
        return self.effect is not None or bool(self.effects)

    def known(self, knowledge: Knowledge, event: Event, envelope: Envelope) -> Knowledge:
        """What is known after the event: the knower's own part is renewed, under the knower's name."""
        if self.know is None:
            return knowledge
        name = self.know.__name__
        return {**knowledge, name: self.know(dict(knowledge.get(name, {})), event, envelope)}

    async def act(self, delivery: Delivery) -> None:
        """Every effect, in their order. What one raises keeps the later ones from running: all come again."""
        if self.effect:
            await self.effect(delivery)
        for name, effect in self.effects.items():
            await effect(replace(delivery, effect=name))


Handlers = Mapping[type[Event], Handler]
