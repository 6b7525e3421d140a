"""Samples, schemas and the event map say what the code says; owners and consumers test against the samples."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from deploy.event_map import event_map
from deploy.generate import generated, main, stale
from shared.clock import instant_of
from shared.contracts.base import TYPE_PREFIX, Envelope, Event
from shared.contracts.registry import EVENTS, REGISTRY, declared_events, event_type, events_of, read
from shared.messaging.topics import TOPICS

FOLDER = Path(__file__).resolve().parents[2] / "shared/contracts"
SAMPLES = sorted((FOLDER / "samples").glob("*.json"))
# CloudEvents 1.0, "Naming conventions": lower-case letters and digits, and no more than 20 of them.
ATTRIBUTE = re.compile(r"^ce_[a-z0-9]{1,20}$")
TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
SUSPECT = re.compile(r"name|email|phone|telephone|address|document|birth_date|passport|note|comment|text|title|descr")


def sample(path: Path) -> tuple[dict[str, str], dict[str, Any]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    assert set(content) == {"headers", "body"}
    return content["headers"], content["body"]


def schema_of(path: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((FOLDER / "schemas" / path.name).read_text(encoding="utf-8"))
    return schema


def test_generated_files_are_current() -> None:
    assert stale() == {}, "run `make generate`"
    assert main(["--check"]) == 0


def test_the_check_sees_drift(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path, text = next(iter(generated().items()))
    monkeypatch.setattr("deploy.generate.generated", lambda: {path: text + " "})
    assert main(["--check"]) == 1
    assert path.name in capsys.readouterr().err


def test_no_generated_folder_holds_a_file_of_an_unknown_event() -> None:
    expected = {f"{name.removeprefix(TYPE_PREFIX)}.{version}.json" for name, version in EVENTS.versions()}
    assert {path.name for path in SAMPLES} == expected
    assert {path.name for path in (FOLDER / "schemas").glob("*.json")} == expected


def test_every_event_is_registered_on_a_declared_topic_of_its_owner() -> None:
    for event in declared_events():
        assert event.topic in TOPICS
        assert REGISTRY[(event.type_name(), event.version)] is event
        assert event in events_of(event.topic)
        assert event_type(event.type_name().removeprefix(TYPE_PREFIX)) is event
        assert event.__module__.split(".")[2] == event.topic.split(".")[0]


# Optional fields keep the version, and samples are never edited.
CAME_LATER = {
    "matching.ExpertNotSelected.1": {"host"},
    "matching.ExpertShortlisted.1": {"asks_host"},
    "matching.MatchRetracted.1": {"host"},
    "placement.PlacementContracted.1": {"override_reason"},
    "placement.PlacementExtended.1": {"override_reason"},
    "placement.SiteProposed.1": {"override_reason"},
    "placement.TrainingAnnounced.1": {"override_reason"},
    "placement.TrainingRescheduled.1": {"override_reason"},
    "placement.WorksBegun.1": {"override_reason"},
    "registration.ExpertIdentityClashed.1": {"reason"},
    "registration.Profile.2": {"erased"},
}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_read_and_written_again_as_it_stands(path: Path) -> None:
    headers, body = sample(path)
    envelope = Envelope.of(headers)
    assert envelope.headers() == headers
    event = read(envelope, json.dumps(body).encode())
    assert f"{event.type_name().removeprefix(TYPE_PREFIX)}.{envelope.version}" == path.stem
    if envelope.version == type(event).version:
        assert json.loads(event.body()) == body
        later = CAME_LATER.get(path.stem, set())
        assert set(body) == set(type(event).model_fields) - later, "a sample shows every field of its day"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_fits_its_json_schema(path: Path) -> None:
    headers, body = sample(path)
    schema = schema_of(path)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert (
        schema["$id"]
        == headers["ce_dataschema"]
        == f"urn:sankofa:schema:{path.stem.rsplit('.', 1)[0]}:" + path.stem[-1]
    )
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    validator.validate(body)
    assert not validator.is_valid({key: value for key, value in body.items() if key != "happened_at"})


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_samples_headers_are_valid_cloudevents(path: Path) -> None:
    headers, body = sample(path)
    assert headers["ce_specversion"] == "1.0"
    for required in ("ce_id", "ce_source", "ce_type", "ce_subject"):
        assert headers[required]
    assert headers["content-type"] == "application/json"
    assert all(ATTRIBUTE.match(name) for name in headers if name not in ("content-type", "traceparent"))
    assert all(isinstance(value, str) and value.isascii() and value.isprintable() for value in headers.values())
    assert re.match(r"^/[a-z]+$", urlsplit(headers["ce_source"]).path)
    assert urlsplit(headers["ce_dataschema"]).scheme == "urn"
    assert headers["ce_time"] == body["happened_at"]
    assert instant_of(headers["ce_recordedtime"]) >= instant_of(headers["ce_time"])
    assert headers["ce_time"].endswith("Z")
    assert int(headers["ce_epoch"]) >= 1
    assert re.fullmatch("[0-9]{10}", headers["ce_sequence"])
    assert TRACEPARENT.match(headers["traceparent"])
    assert headers["ce_traceparent"] == headers["traceparent"]


# One short code is all that a text may be: it starts with a letter or digit and has no space in it.
def is_coded(constraints: StringConstraints | FieldInfo | Any) -> bool:
    pattern = getattr(constraints, "pattern", None)
    if pattern is None and isinstance(constraints, FieldInfo):
        pattern = next((p for m in constraints.metadata if (p := getattr(m, "pattern", None))), None)
    return pattern is not None and not re.match(pattern, "two words") and not re.match(pattern, "x" * 65)


def free_texts(annotation: Any, where: str) -> list[str]:
    """Where an annotation could hold more than ids, codes, numbers and dates."""
    if annotation in (int, bool, date, datetime, NoneType) or get_origin(annotation) is Literal:
        return []
    if hasattr(annotation, "__metadata__"):
        inner = get_args(annotation)[0]
        if inner is str:
            return [] if any(is_coded(one) for one in annotation.__metadata__) else [where]
        return free_texts(inner, where)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return suspects(annotation, where)
    if get_origin(annotation) in (tuple, Union, UnionType):
        return [found for part in get_args(annotation) if part is not Ellipsis for found in free_texts(part, where)]
    return [where]


def suspects(model: type[BaseModel], where: str) -> list[str]:
    hints = get_type_hints(model, include_extras=True)
    found = [f"{where}.{name}" for name in model.model_fields if SUSPECT.search(name)]
    return found + [text for name in model.model_fields for text in free_texts(hints[name], f"{where}.{name}")]


@pytest.mark.parametrize("event", declared_events(), ids=lambda event: event.__name__)
def test_no_event_can_hold_free_text_or_a_direct_identifier(event: type[Event]) -> None:
    allowed = {"ProgrammePublished.definition"}
    assert set(suspects(event, event.__name__)) - allowed == set()


def test_the_search_for_free_text_finds_it() -> None:
    hints = {"remark": str, "given_name": int, "anything": dict[str, Any], "loose": tuple[str, ...]}
    found = [text for name, hint in hints.items() for text in free_texts(hint, name)]
    assert found == ["remark", "anything", "loose"]
    assert SUSPECT.search("given_name")


def test_the_event_map_names_every_event_and_its_consumers() -> None:
    page = event_map({"org.sankofa.matching.OfferAccepted": ["placement", "monitoring"]})
    for event in declared_events():
        assert f"| `{event.__name__}` | {event.version} |" in page
    (row,) = [line for line in page.splitlines() if line.startswith("| `OfferAccepted`")]
    assert row.endswith("| monitoring, placement |")
