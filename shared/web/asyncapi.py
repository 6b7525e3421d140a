"""The AsyncAPI 3.0 document of a service, from its handler table, the topics and the contracts.

What a service sends is every event of the topics that bear its name; what it receives is what its handler table
names. Written here and not taken from FastStream: that knows of a subscription its topics and raw bytes alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from shared.contracts.base import SEQUENCE_DIGITS, TYPE_PREFIX, Event, schema_uri
from shared.contracts.registry import EVENTS, events_of
from shared.messaging.topics import TOPICS

VERSION = "3.0.0"
BINDING_VERSION = "0.5.0"
SCHEMAS = "#/components/schemas/"
ATTRIBUTES = "CloudEvent"
TEXT: Mapping[str, Any] = {"type": "string"}
# A number in a header is text; a sequence begins at 1, a store's epoch too.
NUMBER: Mapping[str, Any] = {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}
HEADERS: Mapping[str, Mapping[str, Any]] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "format": "uuid"},
    "ce_type": TEXT,
    "ce_source": TEXT,
    "ce_subject": {**TEXT, "description": "The case that the event is about; also the record's key."},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it happened."},
    "ce_recordedtime": {
        "type": "string",
        "format": "date-time",
        "description": "The owner's clock at the decision; never backwards within a subject.",
    },
    "ce_dataschema": {
        **TEXT,
        "description": "`urn:sankofa:schema:<owner>.<Event>:<version>`, which the owner serves without a token as "
        "`/<owner>/schemas/<owner>.<Event>.<version>.json`.",
    },
    "ce_epoch": NUMBER,
    "ce_sequence": {
        "type": "string",
        "pattern": f"^[0-9]{{{SEQUENCE_DIGITS}}}$",
        "description": "Grows by one for each event of the subject on this topic; sorts as text.",
    },
    "content-type": {"type": "string", "const": "application/json"},
    "ce_office": TEXT,
    "ce_programme": TEXT,
    "ce_programmeversion": NUMBER,
    "ce_byrole": {**TEXT, "description": "As what somebody asked for it; missing where it followed by itself."},
    "ce_byoffice": {**TEXT, "description": "Of whoever asked for it, where it is another office than the case's."},
    "ce_correlationid": TEXT,
    "ce_causationid": {**TEXT, "description": "The event that caused this one."},
    "ce_traceparent": {**TEXT, "description": "W3C trace context, as CloudEvents' extension has it."},
    "traceparent": {**TEXT, "description": "The same, for clients that know Kafka's headers alone."},
}
OPTIONAL = frozenset(
    {
        "ce_office",
        "ce_programme",
        "ce_programmeversion",
        "ce_byrole",
        "ce_byoffice",
        "ce_correlationid",
        "ce_causationid",
        "ce_traceparent",
        "traceparent",
    }
)


@dataclass(frozen=True)
class Received:
    """What a service takes in: the types that it handles, and the topics that it reads as a consumer group."""

    events: Sequence[type[Event]]
    grouped: Collection[str] = ()


def asyncapi(service: str, received: Received) -> dict[str, Any]:
    """AsyncAPI 3.0 of the service. `send` operations for its own topics, `receive` for the types that it handles.

    A channel lists everything that stands on its topic, an operation what the service does with it. Servers are
    left out: where the log is depends on the installation, and an embedded one is no Kafka server.
    """
    own = [name for name in TOPICS if name.startswith(f"{service}.")]
    handled = {event.topic for event in received.events}
    used = [name for name in TOPICS if name in handled or name in own]
    events = [event for name in used for event in events_of(name)]
    return {
        "asyncapi": VERSION,
        "id": f"urn:sankofa:{service}",
        "info": {
            "title": f"Sankofa {service}",
            "version": "1",
            "description": "CloudEvents 1.0 in Kafka's binary mode; the key is the subject. First occurrences of a "
            "subject's events on a topic come in order, any of them may come again.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in used},
        "operations": {
            **{f"send.{name}": _operation("send", name, events_of(name)) for name in own},
            **{f"receive.{name}": _received(service, name, received) for name in used if name in handled},
        },
        "components": {
            "messages": {_short(event): _message(event) for event in events},
            "schemas": _schemas(events),
        },
    }


def _channel(name: str) -> dict[str, Any]:
    topic = TOPICS[name]
    configuration: dict[str, Any] = {
        "cleanup.policy": ["compact" if topic.compacted else "delete"],
        "retention.ms": -1,
        "retention.bytes": -1,
    }
    kept = "the newest record of each subject" if topic.compacted else "every record, for ever"
    return {
        "address": name,
        "description": f"Kept: {kept}.",
        "messages": {event.__name__: _ref(f"#/components/messages/{_short(event)}") for event in events_of(name)},
        "bindings": {
            "kafka": {
                "topic": name,
                "partitions": topic.partitions,
                "topicConfiguration": configuration,
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _operation(action: str, topic: str, events: Iterable[type[Event]]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": _ref(f"#/channels/{topic}"),
        "messages": [_ref(f"#/channels/{topic}/messages/{event.__name__}") for event in events],
    }


def _received(service: str, topic: str, received: Received) -> dict[str, Any]:
    """A receive operation; a reader by position, as of the definitions, has no consumer group."""
    # A type may stand in two tables: every replica follows the definitions, one may handle them besides.
    events = dict.fromkeys(event for event in received.events if event.topic == topic)
    operation = _operation("receive", topic, events)
    if topic in received.grouped:
        group = {"groupId": {"type": "string", "enum": [service]}, "bindingVersion": BINDING_VERSION}
        operation["bindings"] = {"kafka": group}
    return operation


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type_name(),
        "title": event.__name__,
        "summary": " ".join(inspect.cleandoc(event.__doc__ or "").split()),
        "contentType": "application/json",
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "headers": {"type": "object", "allOf": [_ref(f"{SCHEMAS}{ATTRIBUTES}"), _constants(event)]},
        "payload": _ref(f"{SCHEMAS}{event.__name__}"),
        "bindings": {"kafka": {"key": TEXT, "bindingVersion": BINDING_VERSION}},
    }


def _constants(event: type[Event]) -> dict[str, Any]:
    constants = {
        "ce_type": event.type_name(),
        "ce_source": f"/{event.topic.split('.')[0]}",
        "ce_dataschema": schema_uri(event.type_name(), event.version),
    }
    return {"type": "object", "properties": {name: {"const": value} for name, value in constants.items()}}


def _schemas(events: Iterable[type[Event]]) -> dict[str, Any]:
    """The bodies' schemas with all that they refer to, and that of the headers."""
    every = _bodies()
    wanted, open_names = dict[str, Any](), [event.__name__ for event in events]
    while open_names:
        name = open_names.pop()
        if name not in wanted:
            wanted[name] = every[name]
            open_names += referred(every[name])
    required = [name for name in HEADERS if name not in OPTIONAL]
    headers = {"type": "object", "properties": dict(HEADERS), "required": required}
    return {ATTRIBUTES: headers, **{name: wanted[name] for name in sorted(wanted)}}


@cache
def _bodies() -> Mapping[str, Any]:
    """Every event's schema by its name: one name is one event in all the contracts, as pydantic sees to."""
    models = [(event, "validation") for event in EVENTS.newest.values()]
    _, schema = models_json_schema(models, ref_template=SCHEMAS + "{model}")  # type: ignore[arg-type]
    return dict(schema["$defs"])


def referred(schema: Any) -> list[str]:
    """Names of the component schemas that a schema refers to."""
    if isinstance(schema, dict):
        here = schema.get("$ref")
        own = [here.removeprefix(SCHEMAS)] if isinstance(here, str) else []
        return own + [name for value in schema.values() for name in referred(value)]
    if isinstance(schema, list):
        return [name for value in schema for name in referred(value)]
    return []


def _ref(to: str) -> dict[str, str]:
    return {"$ref": to}


def _short(event: type[Event]) -> str:
    return event.type_name().removeprefix(TYPE_PREFIX)
