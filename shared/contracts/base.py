"""What every event is: a frozen model with an integer version, sent as CloudEvents 1.0 in Kafka's binary mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, StringConstraints

from shared.clock import text_of
from shared.contracts.facts import Tells

TYPE_PREFIX = "org.sankofa."
# Nothing that is recorded here happened earlier or will be due later; in UTC no such instant leaves the calendar.
YEARS = range(1900, 3000)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone")
    if value.year not in YEARS:
        raise ValueError("the year is out of range")
    return value.astimezone(UTC)


Instant = Annotated[datetime, AfterValidator(_utc), PlainSerializer(text_of, return_type=str, when_used="json")]
Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
# A code that becomes the key of an object in a document, where the store allows no dot.
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
# An IANA name.
TimeZone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{0,63}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class Contract(BaseModel):
    """Frozen; a field that a reader does not know is ignored, so that a newer writer can add optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")


class Event(Contract):
    """A past fact. `happened_at`: when it happened; `recorded_late`: it lay in the past when it was recorded.

    Events carry ids, codes and facts, all that the fold needs; never a person's attribute, never free text
    (docs/kernel.md, section 1). The exceptions are `Profile`, whose topic is compacted, and nothing else.
    `leads_to`: the state in which its case then stands; None where it stays as it was, or goes back.
    """

    topic: ClassVar[str]
    version: ClassVar[int] = 1
    leads_to: ClassVar[str | None] = None
    tells: ClassVar[tuple[Tells, ...]] = ()

    happened_at: Instant
    recorded_late: bool = False

    @classmethod
    def type_name(cls) -> str:
        """`org.sankofa.<owner>.<EventName>`, the CloudEvents type."""
        return f"{TYPE_PREFIX}{cls.topic.split('.')[0]}.{cls.__name__}"

    def body(self) -> str:
        """The exact JSON text that is stored in the outbox and sent."""
        return self.model_dump_json(exclude_none=True)


@dataclass(frozen=True)
class Scope:
    """Under which office, programme and version of its definition a case runs; None where it has none."""

    office: str | None = None
    programme: str | None = None
    programme_version: int | None = None


@dataclass(frozen=True)
class Envelope:
    """The CloudEvents attributes of one event, beside its body."""

    id: str
    type: str
    version: int
    source: str
    subject: str
    time: str
    epoch: int
    sequence: int
    scope: Scope = Scope()
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None

    def headers(self) -> dict[str, str]:
        """Headers of Kafka's binary content mode; the schema's version is in `ce_dataschema`."""
        optional = {
            "ce_office": self.scope.office,
            "ce_programme": self.scope.programme,
            "ce_programmeversion": _text(self.scope.programme_version),
            "ce_correlationid": self.correlation_id,
            "ce_causationid": self.causation_id,
            "traceparent": self.traceparent,
        }
        return {
            "ce_specversion": "1.0",
            "ce_id": self.id,
            "ce_type": self.type,
            "ce_source": self.source,
            "ce_subject": self.subject,
            "ce_time": self.time,
            "ce_dataschema": schema_uri(self.type, self.version),
            "ce_epoch": str(self.epoch),
            "ce_sequence": str(self.sequence),
            "content-type": "application/json",
            **{name: value for name, value in optional.items() if value is not None},
        }

    @staticmethod
    def of(headers: Mapping[str, str]) -> Envelope:
        """Reads the headers back. Raises ValueError or KeyError for what is no event of this project."""
        version = headers.get("ce_programmeversion")
        return Envelope(
            id=headers["ce_id"],
            type=headers["ce_type"],
            version=int(headers["ce_dataschema"].rsplit(":", 1)[1]),
            source=headers["ce_source"],
            subject=headers["ce_subject"],
            time=headers["ce_time"],
            epoch=int(headers["ce_epoch"]),
            sequence=int(headers["ce_sequence"]),
            scope=Scope(headers.get("ce_office"), headers.get("ce_programme"), int(version) if version else None),
            correlation_id=headers.get("ce_correlationid"),
            causation_id=headers.get("ce_causationid"),
            traceparent=headers.get("traceparent"),
        )


def schema_uri(type_name: str, version: int) -> str:
    """The URI in `dataschema`; its last part is the integer version."""
    return f"urn:sankofa:schema:{type_name.removeprefix(TYPE_PREFIX)}:{version}"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
