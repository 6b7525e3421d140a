"""Every event that may stand on a topic, by CloudEvents type and version; reading one from its exact bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType, ModuleType

from pydantic import ValidationError

from shared.contracts.base import TYPE_PREFIX, Envelope, Event
from shared.contracts.matching import assignments, matches
from shared.contracts.monitoring import statements
from shared.contracts.placement import placements, sites, trainings
from shared.contracts.registration import audit, experts, institutions, persons, programmes
from shared.contracts.upcast import STEPS, Step, upcast
from shared.errors import SankofaError

# Where events and families of facts are declared; a module of a further case is one more name here.
MODULES: tuple[ModuleType, ...] = (
    programmes,
    persons,
    experts,
    institutions,
    audit,
    assignments,
    matches,
    placements,
    trainings,
    sites,
    statements,
)


class UnregisteredType(SankofaError):
    """No event of that type and version is known here; the record is parked until newer code reads it."""

    def __init__(self, type_name: str, version: int) -> None:
        super().__init__(f"{type_name} version {version}")
        self.type_name = type_name
        self.version = version


class UnreadableBody(SankofaError):
    """The body is not what its type and version promise. It names the fields, never a value."""

    def __init__(self, type_name: str, version: int, pointers: tuple[str, ...]) -> None:
        super().__init__(f"{type_name} version {version}: {', '.join(pointers)}")
        self.pointers = pointers


class Registry:
    """The newest model of each type, and the steps that bring older bodies up to it."""

    def __init__(self, events: Iterable[type[Event]], steps: Mapping[tuple[str, int], Step]) -> None:
        self.newest: Mapping[str, type[Event]] = MappingProxyType({event.type_name(): event for event in events})
        self._steps = steps
        for (name, version), _ in steps.items():
            if name not in self.newest or not 1 <= version < self.newest[name].version:
                raise ValueError(f"an upcast step for {name} version {version}, which is no older version")
        for name, event in self.newest.items():
            for version in range(1, event.version):
                if (name, version) not in steps:
                    raise ValueError(f"no upcast step for {name} version {version}")

    def versions(self) -> tuple[tuple[str, int], ...]:
        """Every (type name, version) that can be read, by type and then version."""
        return tuple(
            (name, version) for name in sorted(self.newest) for version in range(1, self.newest[name].version + 1)
        )

    def read(self, envelope: Envelope, value: bytes) -> Event:
        """The event in its newest version. Raises UnregisteredType or UnreadableBody.

        `value` is the body's exact UTF-8 JSON text.
        """
        model = self.newest.get(envelope.type)
        if model is None or not 1 <= envelope.version <= model.version:
            raise UnregisteredType(envelope.type, envelope.version)
        try:
            if envelope.version == model.version:
                return model.model_validate_json(value)
            body = json.loads(value)
            return model.model_validate_json(
                json.dumps(upcast(self._steps, envelope.type, envelope.version, model.version, body))
            )
        except ValidationError as error:
            raise UnreadableBody(envelope.type, envelope.version, _pointers(error)) from None
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise UnreadableBody(envelope.type, envelope.version, (type(error).__name__,)) from None


def _pointers(error: ValidationError) -> tuple[str, ...]:
    """JSON pointers of what does not fit; the error itself would echo the values."""
    found = (details["loc"] for details in error.errors(include_input=False, include_url=False, include_context=False))
    return tuple("/" + "/".join(str(part) for part in loc) for loc in found)


def declared_events() -> tuple[type[Event], ...]:
    """Every concrete event of the contracts' modules, in the order in which they declare them."""
    return tuple(
        model
        for module in MODULES
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, Event) and model.__module__ == module.__name__
    )


EVENTS = Registry(declared_events(), STEPS)
# Newest versions alone have a model; an older version is read through its upcast steps.
REGISTRY: Mapping[tuple[str, int], type[Event]] = MappingProxyType(
    {(name, model.version): model for name, model in sorted(EVENTS.newest.items())}
)


def event_type(name: str) -> type[Event]:
    """The newest model of `org.sankofa.<owner>.<EventName>` or of `<owner>.<EventName>`.

    Raises UnregisteredType.
    """
    full = name if name.startswith(TYPE_PREFIX) else TYPE_PREFIX + name
    if full not in EVENTS.newest:
        raise UnregisteredType(full, 0)
    return EVENTS.newest[full]


def read(envelope: Envelope, value: bytes) -> Event:
    """The event, in its newest version, of an envelope and its exact body.

    Raises UnregisteredType for a type or version that is unknown here, UnreadableBody for a body that does not fit.
    """
    return EVENTS.read(envelope, value)


def events_of(topic: str) -> tuple[type[Event], ...]:
    """The events of a topic in the order in which the contracts declare them; none for a topic without events."""
    return tuple(model for model in EVENTS.newest.values() if model.topic == topic)
