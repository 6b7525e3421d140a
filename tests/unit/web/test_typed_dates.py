"""Days and instants as people type them, in parts, in any digits; as the body has them, and as they are shown again."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from pydantic import TypeAdapter, ValidationError

from shared.contracts.base import Instant
from shared.web.pages.filled import Form
from shared.web.pages.forms import Posted, fields_of, json_of, said_in
from shared.web.pages.typed_dates import _MONTHS_OF, in_parts, numbered, said_in_parts

FIELDS = fields_of(
    {
        "properties": {
            "on": {"type": "string", "format": "date"},
            "at": {"type": "string", "format": "date-time"},
            "rows": {
                "type": "array",
                "items": {"type": "object", "properties": {"on": {"type": "string", "format": "date"}}},
            },
        }
    }
)
ON, AT, ROWS = FIELDS
KABUL = ZoneInfo("Asia/Kabul")


def day(day: str = "", month: str = "", year: str = "", at: str = "/on") -> list[tuple[str, str]]:
    return [(f"{at}/day", day), (f"{at}/month", month), (f"{at}/year", year)]


def body(sent: list[tuple[str, str]]) -> object:
    return json.loads(json_of(FIELDS, Posted.of(sent)))


@pytest.mark.parametrize(
    "typed",
    [
        ("31", "3", "2027"),
        (" 31 ", "03", "2027"),
        ("٣١", "٣", "٢٠٢٧"),
        ("۳۱", "۳", "۲۰۲۷"),
        ("31", "March", "2027"),
        ("31", "mars", "2027"),
        ("31", "مارس", "2027"),
        ("31", "آذار", "٢٠٢٧"),
    ],
)
def test_a_day_in_parts_is_one_in_the_body(typed: tuple[str, str, str]) -> None:
    assert body(day(*typed)) == {"on": "2027-03-31"}


def test_a_day_in_one_field_is_taken_as_before_and_nothing_typed_says_nothing() -> None:
    assert body([("/on", "٢٠٢٧-03-31")]) == {"on": "2027-03-31"}
    assert body(day()) == {}
    assert body(day(" ")) == {}


@pytest.mark.parametrize(
    "typed", [("31", "2", "2027"), ("31", "", "2027"), ("31", "3", "27"), ("", "3", ""), ("1²", "3", "2027")]
)
def test_what_is_no_day_is_sent_on_and_stands_in_the_form_as_it_was_typed(typed: tuple[str, str, str]) -> None:
    """The body's rule refuses it: no day is ever made of it."""
    posted = Posted.of(day(*typed))
    assert said_in(ON, posted) not in (None, "2027-03-31", "2027-02-28", "2027-03-03")
    form = Form("en", FIELDS, posted)
    assert tuple(form.part(ON, part) for part in ("day", "month", "year")) == typed


def test_a_day_that_stands_is_shown_in_its_parts_and_in_words() -> None:
    form = Form("fr", FIELDS, Posted.of([("/on", "2027-03-01")]))
    assert [form.part(ON, part) for part in ("day", "month", "year")] == ["1", "3", "2027"]
    assert form.answer(ON) == ["1er mars 2027"]
    typed = Form("fr", FIELDS, Posted.of(day("31", "x", "2027")))
    assert typed.answer(ON) == ["31 x 2027"]


def test_days_in_rows_move_with_their_rows() -> None:
    second = day("31", "3", "2027", "/rows/1/on")
    posted = Posted.of([*day(at="/rows/0/on"), *second])
    assert said_in(ROWS, posted) == [{"on": "2027-03-31"}]
    assert dict(posted.packed(FIELDS).pairs)["/rows/0/on/year"] == "2027"


@pytest.mark.parametrize(
    ("time", "said"), [("9:30", "05:00:00"), ("٩:٣٠", "05:00:00"), ("9h30", "05:00:00"), ("14", "09:30:00")]
)
def test_an_instant_is_typed_in_the_offices_time(time: str, said: str) -> None:
    sent = [*day("31", "3", "2027", "/at"), ("/at/time", time), ("/at/zone", "Asia/Kabul")]
    assert body(sent) == {"at": f"2027-03-31T{said}.000000Z"}
    form = Form("en", FIELDS, Posted.of([("/at", f"2027-03-31T{said}Z")]), zone=KABUL)
    assert form.zone_of(AT) == "Asia/Kabul"
    assert form.part(AT, "time") == ("09:30" if time != "14" else "14:00")


def test_a_time_that_clocks_skip_is_sent_on_as_it_was_typed() -> None:
    """On that night Sarajevo's clocks go from 02:00 to 03:00; in October 02:30 comes twice: the first counts."""
    zoned = ("/at/zone", "Europe/Sarajevo")
    skipped = [*day("29", "3", "2026", "/at"), ("/at/time", "2:30"), zoned]
    assert body(skipped) == {"at": "29 3 2026 2:30"}
    after = [*day("29", "3", "2026", "/at"), ("/at/time", "3:00"), zoned]
    assert body(after) == {"at": "2026-03-29T01:00:00.000000Z"}
    twice = [*day("25", "10", "2026", "/at"), ("/at/time", "2:30"), zoned]
    assert body(twice) == {"at": "2026-10-25T00:30:00.000000Z"}
    with pytest.raises(ValidationError, match="time_malformed"):
        TypeAdapter(Instant).validate_json(json.dumps("29 3 2026 2:30"))


@pytest.mark.parametrize(
    ("month", "said"), [("mars", 3), ("مارس", 3), ("Sept.", 9), ("٣", 3), ("no month", "no month")]
)
def test_the_month_of_a_day_that_is_known_in_parts_is_taken_by_its_name_too(month: str, said: object) -> None:
    numbers = {name: {"type": "integer"} for name in ("year", "month", "day")}
    born = fields_of({"properties": {"born": {"type": "object", "properties": numbers}}})
    posted = Posted.of([("/born/year", "1985"), ("/born/month", month)])
    assert json.loads(json_of(born, posted)) == {"born": {"year": 1985, "month": said}}
    assert ("March 1985" in repr(Form("en", born, posted).answers)) is (said == 3)


@pytest.mark.parametrize(("time", "zone"), [("25:00", "Asia/Kabul"), ("9:30", "Nowhere/Else"), ("9:30", "")])
def test_an_instant_without_its_time_or_zone_is_none(time: str, zone: str) -> None:
    sent = [*day("31", "3", "2027", "/at"), ("/at/time", time), ("/at/zone", zone)]
    assert body(sent) == {"at": f"31 3 2027 {time}".strip()}
    # Of an empty form the zone alone is sent, which says nothing.
    assert body([*day(at="/at"), ("/at/time", ""), ("/at/zone", zone)]) == {}


def _shortened() -> list[tuple[str, int]]:
    """Every month as it is shortened in the languages of pages, as CLDR has it, with its dot and without."""
    found = [
        ("janv.", 1),
        ("févr.", 2),
        ("fevr.", 2),
        ("juil.", 7),
        ("août", 8),
        ("aout", 8),
        ("sept.", 9),
        ("déc.", 12),
    ]
    found += [("Jan.", 1), ("Sept.", 9), ("Sep.", 9), ("Dec", 12), ("يناير", 1), ("فبراير", 2), ("سبتمبر", 9)]
    for language in ("en", "en_GB", "fr", "ar"):
        names = Locale.parse(language).months["format"]["abbreviated"]
        for number, name in names.items():
            found += [(form, number) for form in (name, f"{name.rstrip('.')}.", name.upper(), f"\u200f{name}\u200e")]
    return found


@pytest.mark.parametrize(("month", "number"), _shortened())
def test_a_month_is_taken_as_people_shorten_it(month: str, number: int) -> None:
    assert body(day("3", month, "2027")) == {"on": f"2027-{number:02d}-03"}


def test_no_name_of_a_month_stands_for_two() -> None:
    told: dict[str, set[int]] = {}
    for language in _MONTHS_OF:
        for names in Locale.parse(language).months["format"].values():
            for number, name in names.items():
                if len(name) > 2:
                    told.setdefault(numbered(name), set()).add(number)
    assert {name: [int(name)] for name in told} == {name: sorted(numbers) for name, numbers in told.items()}


@pytest.mark.parametrize(
    "typed",
    [
        ("\u200f31\u200f", "\u206603\u2069", "٢٠٢٧\u200e"),
        ("\uff13\uff11", "mars\u200e", "\uff12\uff10\uff12\uff17"),
    ],
)
def test_a_day_is_taken_with_the_marks_and_widths_that_pasted_text_has(typed: tuple[str, str, str]) -> None:
    assert body(day(*typed)) == {"on": "2027-03-31"}
    whole = "\u200f٢٠٢٧\u2011٠٣\u2212٣١\u200f"
    assert body([("/on", whole)]) == {"on": "2027-03-31"}


def test_a_reference_is_taken_as_it_is_pasted() -> None:
    item = {"type": "string"}
    (field,) = fields_of({"properties": {"ids": {"type": "array", "items": item}}})
    sent = Posted.of([("/ids", "\u200f0A1B\u20112C\u200f")])
    assert json.loads(json_of([field.as_references], sent)) == {"ids": ["0a1b-2c"]}


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("30 11 2026", "2026-11-30"),
        ("30/11/2026", "2026-11-30"),
        (" 30. November 2026 ", "2026-11-30"),
        ("\u0663\u0660-\u0661\u0661-\u0662\u0660\u0662\u0666", "2026-11-30"),
        ("2026-11-30", None),
        ("30 11", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_day_in_one_field_is_read_in_the_order_of_its_parts(typed: str, day: str | None) -> None:
    assert said_in_parts(in_parts(typed, "on"), "on") == day
    if day is None:
        assert in_parts(typed, "on") == {"on": (typed,)}
