"""A record of the log as a message to other systems: a CloudEvent in JSON, and monitoring's signature beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from rfc8785 import CanonicalizationError

from shared.canonical import canonical_json
from shared.clock import text_of
from shared.contracts.base import SEQUENCE_DIGITS, TYPE_PREFIX, Envelope, schema_uri
from shared.identity.keys import Keys
from shared.messaging.port import Record
from shared.messaging.reading import Unreadable, parse
from shared.telemetry.observability import count

SERVICE = "monitoring"
PING = f"{TYPE_PREFIX}{SERVICE}.Ping"


class CloudEvent(BaseModel):
    """CloudEvents 1.0. `data` is the event's body by the schema that `dataschema` names; `sequence` counts the events
    of `subject` on the topic of their `type`, and with `epoch` before it is their order."""

    model_config = ConfigDict(extra="allow")

    specversion: str
    id: str
    type: str
    source: str
    subject: str
    time: str
    datacontenttype: str
    dataschema: str
    epoch: int
    sequence: str
    data: dict[str, Any]


class FeedMessage(BaseModel):
    """`event` with the detached Ed25519 `signature` of its canonical form (RFC 8785), as base64url without padding, by
    the key that monitoring publishes under `key_id`."""

    event: CloudEvent
    key_id: str
    signature: str


class Messages:
    """Makes messages. `text` raises Unavailable where the keys' folder has no room for the first key."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def text(self, record: Record) -> bytes | None:
        """The message as one line of JSON, in which the body stands as it stands in the log.

        None for a record that is no event by the contracts known here, which is counted.
        """
        read = parse(record)
        if isinstance(read, Unreadable) or record.value is None:
            count("feed_unreadable")
            return None
        body = record.value
        told = attributes(read[0])
        event = {**told, "data": json.loads(body)}
        try:
            beside = self._beside(event)
        except CanonicalizationError:
            # A number that other readers of JSON would take for another one.
            count("feed_unreadable")
            return None
        if b"\n" in body or b"\r" in body:
            body = json.dumps(event["data"], ensure_ascii=False, separators=(",", ":")).encode()
        head = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        return b'{"event":' + head[:-1] + b',"data":' + body + b"}," + beside + b"}"

    def ping(self, id: str, subscription: str, at: datetime) -> bytes:
        """A message of no event, which says that messages arrive."""
        event = {
            "specversion": "1.0",
            "id": id,
            "type": PING,
            "source": f"/{SERVICE}",
            "subject": subscription,
            "time": text_of(at),
            "datacontenttype": "application/json",
            "data": {},
        }
        return b'{"event":' + canonical_json(event) + b"," + self._beside(event) + b"}"

    def _beside(self, event: Mapping[str, Any]) -> bytes:
        signature = self._keys.sign_receipt(SERVICE, canonical_json(event))
        return f'"key_id":"{self._keys.receipt_key_id(SERVICE)}","signature":"{signature}"'.encode()


def attributes(envelope: Envelope) -> dict[str, Any]:
    """The CloudEvents attributes; none is null. What links events to one another and to traces stays inside: it names
    events that the reader may not be told."""
    scope = envelope.scope
    optional = {
        "recordedtime": envelope.recorded_time,
        "office": scope.office,
        "programme": scope.programme,
        "programmeversion": scope.programme_version,
        "byrole": envelope.by_role,
        "byoffice": envelope.by_office,
    }
    return {
        "specversion": "1.0",
        "id": envelope.id,
        "type": envelope.type,
        "source": envelope.source,
        "subject": envelope.subject,
        "time": envelope.time,
        "datacontenttype": "application/json",
        "dataschema": schema_uri(envelope.type, envelope.version),
        "epoch": envelope.epoch,
        "sequence": f"{envelope.sequence:0{SEQUENCE_DIGITS}d}",
        **{name: value for name, value in optional.items() if value is not None},
    }
