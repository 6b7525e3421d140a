"""What every event is: a frozen model with an integer version, sent as CloudEvents 1.0 in Kafka's binary mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema

from shared.clock import text_of
from shared.contracts import patterns
from shared.contracts.facts import Tells

TYPE_PREFIX = "org.sankofa."
# The extension of this name sorts as text (CloudEvents, "Sequence").
SEQUENCE_DIGITS = 10


@dataclass(frozen=True)
class Form:
    """On a date or time: its text has one form, RFC 3339's, which is looked at before it is read.

    Pydantic by itself also reads a number, and digits in quotes, as seconds or milliseconds since 1970. What has
    another form, or in that form names no day or time, is refused by the one `rule`.
    """

    rule: str
    sentence: str
    format: str
    pattern: str
    read: Callable[[str], date]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # The inner schema of a chain is asked as for Python, where a strict one takes no text: so `read`.
        text = core_schema.str_schema(pattern=self.pattern, strict=True)
        said = core_schema.chain_schema([text, core_schema.no_info_plain_validator_function(self.read)])
        held = core_schema.union_schema([core_schema.is_instance_schema(source), said], mode="left_to_right")
        return core_schema.json_or_python_schema(self._named(said), self._named(held))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": self.format, "pattern": self.pattern}

    def _named(self, schema: CoreSchema) -> CoreSchema:
        return core_schema.custom_error_schema(schema, self.rule, custom_error_message=self.sentence)


def in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time needs its zone")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


TIME_FORM = Form(
    "time_malformed",
    "a time has the form 2008-01-05T09:30:00Z, with Z or an offset such as +04:30, and a year from 1900 to 2999",
    "date-time",
    # Nothing that is recorded here happened earlier or will be due later; in UTC no such instant leaves the calendar.
    r"^(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$",
    lambda text: datetime.fromisoformat(text.upper()),
)
DATE_FORM = Form(
    "date_malformed",
    "a date has the form 2008-01-05, with a year from 1900 to 2999",
    "date",
    "^(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}$",
    lambda text: date.fromisoformat(text),
)
Instant = Annotated[
    datetime, TIME_FORM, AfterValidator(in_utc), PlainSerializer(text_of, return_type=str, when_used="json")
]
Date = Annotated[date, DATE_FORM]
Id = Annotated[str, StringConstraints(pattern=patterns.ID)]
Code = Annotated[str, StringConstraints(pattern=patterns.CODE)]
# A code that becomes the key of an object in a document, where the store allows no dot.
Key = Annotated[str, StringConstraints(pattern=patterns.KEY)]
# An IANA name.
TimeZone = Annotated[str, StringConstraints(pattern=patterns.TIME_ZONE)]
Country = Annotated[str, StringConstraints(pattern=patterns.COUNTRY)]
# A country, or what ICAO Doc 9303 has for people without the nationality of a state.
Nationality = Annotated[str, StringConstraints(pattern=patterns.NATIONALITY)]


# By class and name, what `declares` said: a model that is asked for what it lacks looks in several places and raises,
# and a save asks a dozen times. Classes and names both stand in code, so it stays small.
_declared: dict[tuple[type, str], bool] = {}


def declares(kind: type, name: str) -> bool:
    """Whether what is of the class has something of that name: a field, a property, a constant."""
    known = _declared.get((kind, name))
    if known is None:
        known = any(name in vars(one) or name in vars(one).get("__annotations__", ()) for one in kind.__mro__)
        _declared[kind, name] = known
    return known


def said_of(one: Any, name: str) -> Any:
    """What it has under that name; None where its class declares nothing there."""
    return getattr(one, name) if declares(type(one), name) else None


class Contract(BaseModel):
    """Frozen; a field that a reader does not know is ignored, so that a newer writer can add optional ones."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")


class Event(Contract):
    """A past fact. `happened_at`: when it happened; `recorded_late`: it lay in the past when it was recorded.

    Events carry ids, codes and facts, all that the fold needs; never a person's attribute, never free text
    (docs/kernel.md, section 1). The exceptions are `Profile`, whose topic is compacted, and nothing else.
    `topic`: empty for what stays in its document and is told to nobody, as with a service's own ledger.
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


def tells_anew(event: type[Event]) -> bool:
    """Whether it states once more what an earlier event of its case told, and moves nothing."""
    return event.leads_to is None and ends(event, event)


def ends(event: type[Event], earlier: type[Event]) -> bool:
    """Whether it ends something that the earlier event told."""
    return any(event.__name__ in one.ended_by for one in earlier.tells)


class Aside(Event):
    """Something about a case that is no fact of it: what was recorded last stays its last fact."""


@dataclass(frozen=True)
class Scope:
    """Under which office, programme and version of its definition a case runs; None where it has none."""

    office: str | None = None
    programme: str | None = None
    programme_version: int | None = None


@dataclass(frozen=True)
class Envelope:
    """The CloudEvents attributes of one event, beside its body.

    `time`: when it happened; `recorded_time`: the owner's clock at the decision, never backwards in a document; None
    for a record from before it was said. Both as RFC 3339 text.
    `by_role`: as what somebody asked for it; None where it followed by itself. `by_office`: of that one, where it is
    another office than the case's.
    """

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
    recorded_time: str | None = None
    by_role: str | None = None
    by_office: str | None = None

    def headers(self) -> dict[str, str]:
        """Headers of Kafka's binary content mode; the schema's version is in `ce_dataschema`."""
        optional = {
            "ce_recordedtime": self.recorded_time,
            "ce_office": self.scope.office,
            "ce_programme": self.scope.programme,
            "ce_programmeversion": _text(self.scope.programme_version),
            "ce_byrole": self.by_role,
            "ce_byoffice": self.by_office,
            "ce_correlationid": self.correlation_id,
            "ce_causationid": self.causation_id,
            "ce_traceparent": self.traceparent,
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
            "ce_sequence": f"{self.sequence:0{SEQUENCE_DIGITS}d}",
            "content-type": "application/json",
            **{name: value for name, value in optional.items() if value is not None},
        }

    @staticmethod
    def of(headers: Mapping[str, str]) -> Envelope:
        """Reads the headers back, a sequence without zeros before it too.

        Raises ValueError or KeyError for what is no event of this project.
        """
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
            recorded_time=headers.get("ce_recordedtime"),
            scope=Scope(headers.get("ce_office"), headers.get("ce_programme"), int(version) if version else None),
            by_role=headers.get("ce_byrole"),
            by_office=headers.get("ce_byoffice"),
            correlation_id=headers.get("ce_correlationid"),
            causation_id=headers.get("ce_causationid"),
            traceparent=headers.get("traceparent"),
        )


def schema_uri(type_name: str, version: int) -> str:
    """The URI in `dataschema`; its last part is the integer version."""
    return f"urn:sankofa:schema:{type_name.removeprefix(TYPE_PREFIX)}:{version}"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
