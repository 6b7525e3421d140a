"""Times and dates as text: one form is taken, everywhere, and what is taken is written so that it can be read back."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

import deploy
import services
import shared
from shared.cases.bodies import Input
from shared.clock import instant_of, text_of
from shared.contracts.base import DATE_FORM, TIME_FORM, Date, Form, Instant

INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)
DATE: TypeAdapter[date] = TypeAdapter(Date)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_read_back_and_sorts_as_text(instant: datetime) -> None:
    assert instant_of(text_of(instant)) == instant
    assert len(text_of(instant)) == len("2007-03-05T09:00:00.000000Z")


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+23:59",
        "0810-08-16T05:29:14Z",
        "1899-12-31T23:59:59Z",
        "3000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "2007-03-05T09:00:00",
    ],
)
def test_an_instant_outside_of_all_that_is_recorded_is_refused(text: str) -> None:
    """A refusal, and no OverflowError: a record that raises anything else would stop its partition."""
    with pytest.raises(ValidationError):
        INSTANT.validate_json(json.dumps(text))


def test_the_years_at_the_edges_are_taken() -> None:
    for year in (1900, 2999):
        assert INSTANT.validate_json(f'"{year}-06-01T00:00:00+02:00"').tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2008-01-05T09:30:00Z", datetime(2008, 1, 5, 9, 30, tzinfo=UTC)),
        ("2008-01-05t09:30:00z", datetime(2008, 1, 5, 9, 30, tzinfo=UTC)),
        ("2008-01-05T14:00:00.25+04:30", datetime(2008, 1, 5, 9, 30, 0, 250_000, tzinfo=UTC)),
        ("2008-01-05T09:30:00.123456789Z", datetime(2008, 1, 5, 9, 30, 0, 123_456, tzinfo=UTC)),
        ("2008-01-05T09:30:00-00:00", datetime(2008, 1, 5, 9, 30, tzinfo=UTC)),
    ],
)
def test_every_form_of_rfc_3339_is_taken(text: str, instant: datetime) -> None:
    assert INSTANT.validate_json(json.dumps(text), strict=True) == INSTANT.validate_python(text) == instant


NO_TIMES = (
    "20080105",
    "1199523600",
    "1199523600.5",
    "2008-01-05",
    "2008-01-05 09:30:00Z",
    "2008-01-05T09:30Z",
    "20080105T093000Z",
    "2008-01-05T09:30:00+0430",
    "2008-01-05T09:30:00+04",
    "2008-01-05T09:30:00,5Z",
    "2008-01-05T09:30:00Z\n",
    " 2008-01-05T09:30:00Z",
    "+2008-01-05T09:30:00Z",
    "2008-W01-5T09:30:00Z",
    "2008-13-05T09:30:00Z",
    "2008-01-05T24:30:00Z",
    "٢٠٠٨-٠١-٠٥T٠٩:٣٠:٠٠Z",
    "2008-01-05T09:30:00\N{FULLWIDTH LATIN CAPITAL LETTER Z}",
    1199523600,
    1199523600.5,
    True,
    None,
    ["2008-01-05T09:30:00Z"],
)
NO_DATES = ("20080105", "1173052800", "-1", "2008-1-5", "2008-02-30", "2008-01-05T00:00:00Z", "05.01.2008", 20080105)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("adapter", "form", "value"),
    [*((INSTANT, TIME_FORM, value) for value in NO_TIMES), *((DATE, DATE_FORM, value) for value in NO_DATES)],
)
def test_another_form_is_refused_in_words_and_digits_are_no_seconds(
    adapter: TypeAdapter[Any], form: Form, value: Any, strict: bool
) -> None:
    for read in (
        lambda: adapter.validate_json(json.dumps(value), strict=strict),
        lambda: adapter.validate_python(value),
    ):
        with pytest.raises(ValidationError) as refused:
            read()
        (error,) = refused.value.errors()
        assert (error["type"], error["msg"]) == (form.rule, form.sentence)


@cache
def models() -> tuple[type[BaseModel], ...]:
    """Every model that this project declares."""
    for package in (shared, services, deploy):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".testing" not in module.name:
                importlib.import_module(module.name)
    found, waiting = dict[type[BaseModel], None](), [BaseModel]
    while waiting:
        for model in waiting.pop().__subclasses__():
            if model not in found:
                found[model] = None
                waiting.append(model)
    return tuple(one for one in found if one.__module__.split(".")[0] in ("shared", "services", "deploy"))


def formless(annotation: Any, metadata: tuple[Any, ...] = ()) -> bool:
    """Whether a date or time stands in the annotation without a form."""
    if isinstance(annotation, type) and issubclass(annotation, date):
        return not any(isinstance(one, Form) for one in metadata)
    if inner := getattr(annotation, "__metadata__", ()):
        return formless(annotation.__origin__, (*metadata, *inner))
    return any(formless(part) for part in get_args(annotation))


def test_every_date_and_time_of_every_model_has_the_form() -> None:
    fields = [(model, name, field) for model in models() for name, field in model.model_fields.items()]
    assert len(fields) > 500
    bare = [
        f"{model.__name__}.{name}" for model, name, field in fields if formless(field.annotation, (*field.metadata,))
    ]
    assert bare == []
    assert formless(tuple[date | None, ...])
    assert not formless(dict[str, Instant | None])


def dated(schema: Any, defs: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every day and instant in the schema, with its place."""
    if isinstance(schema, list):
        for one in schema:
            yield from dated(one, defs, path)
        return
    if not isinstance(schema, Mapping):
        return
    if schema.get("format") in ("date", "date-time"):
        yield path, schema
    if "$ref" in schema:
        yield from dated(defs[schema["$ref"].rsplit("/", 1)[-1]], defs, path)
    for name, part in schema.get("properties", {}).items():
        yield from dated(part, defs, f"{path}/{name}")
    for name in ("items", "anyOf", "allOf", "additionalProperties", "prefixItems"):
        yield from dated(schema.get(name), defs, path)


def bodies() -> list[type[BaseModel]]:
    return [one for one in models() if issubclass(one, Input)]


@pytest.mark.parametrize("model", bodies(), ids=lambda one: str(one.__name__))
def test_every_day_and_instant_that_a_body_takes_has_bounds_both_ways(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    for place, one in dated(schema, schema.get("$defs", {})):
        rest = "-06-01" if one["format"] == "date" else "-06-01T00:00:00Z"
        taken = [
            year for year in ("0001", "1899", "1900", "2999", "3000", "9999") if re.match(one["pattern"], year + rest)
        ]
        assert taken == ["1900", "2999"], f"{model.__name__}{place}"


def test_the_walk_finds_days_and_a_day_out_of_bounds_is_refused() -> None:
    found = {f"{model.__name__}{place}" for model in bodies() for place, _ in dated(*_whole(model))}
    assert {"ExpertRegistration/happened_at", "ExpertRegistration/person/valid_from"} < found
    assert len(found) > 50
    for text in ("1899-12-31", "3000-01-01", "0001-01-01", "9999-12-31"):
        with pytest.raises(ValidationError, match="date_malformed"):
            DATE.validate_json(json.dumps(text))
    for text in ("1900-01-01", "2999-12-31"):
        assert DATE.validate_json(json.dumps(text)).isoformat() == text


def _whole(model: type[BaseModel]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    schema = model.model_json_schema()
    return schema, schema.get("$defs", {})
