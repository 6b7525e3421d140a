"""Dates, times, numbers and names with the right values, in three languages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from shared.contracts.iso_codes import country_codes, language_code, nationality_codes, state_codes
from shared.contracts.occupations import occupation_codes
from shared.web.pages import standard_names
from shared.web.pages.formatting import Formats, name, reference, rounded, text_in, week_of
from shared.web.pages.languages import LANGUAGES
from shared.web.pages.rendering import TEMPLATES
from shared.web.pages.standard_names import Names
from shared.zones import zone

EN, FR, AR = (Formats(language) for language in ("en", "fr", "ar"))
SIX_PAST_TWO = datetime(2026, 3, 4, 11, 6, tzinfo=UTC)


def bare(markup: str) -> str:
    return str(Markup(markup).striptags())


@pytest.mark.parametrize(
    ("formats", "first", "fourth"),
    [(EN, "1 March 2026", "4 March 2026"), (FR, "1er mars 2026", "4 mars 2026"), (AR, "1 مارس 2026", "4 مارس 2026")],
)
def test_a_date_is_long_with_its_month_by_name_and_latin_digits(formats: Formats, first: str, fourth: str) -> None:
    assert bare(formats.date(date(2026, 3, 1))) == first
    assert formats.date(date(2026, 3, 4)) == f'<time datetime="2026-03-04">{fourth}</time>'
    assert bare(formats.month(date(2026, 3, 4))) == fourth.removeprefix("4 ")


def test_half_open_days_are_said_to_the_last_one() -> None:
    assert bare(EN.days(date(2026, 3, 4), date(2026, 3, 8))) == "4 March 2026 to 7 March 2026"
    assert bare(FR.days(date(2026, 3, 1), date(2026, 3, 2))) == "du 1er mars 2026 au 1er mars 2026"


def test_an_instant_is_said_in_the_office_s_zone_first_and_in_the_reader_s_second() -> None:
    mogadishu = zone("Africa/Mogadishu")
    assert bare(EN.instant(SIX_PAST_TWO, mogadishu)) == "4 March 2026, 14:06 (Mogadishu time, UTC+03:00)"
    assert 'datetime="2026-03-04T11:06:00Z"' in EN.instant(SIX_PAST_TWO, mogadishu)
    both = bare(Formats("en", zone("Europe/Amsterdam")).instant(SIX_PAST_TWO, mogadishu))
    assert both.endswith("; your time: 4 March 2026, 12:06 (Amsterdam time, UTC+01:00)")
    assert "your time" not in Formats("en", zone("Asia/Riyadh")).instant(SIX_PAST_TWO, mogadishu)
    assert "مقديشيو" in AR.instant(SIX_PAST_TWO, mogadishu)
    assert bare(EN.instant(SIX_PAST_TWO, UTC)) == "4 March 2026, 11:06 UTC"


def test_the_offset_is_that_of_the_instant() -> None:
    casablanca = zone("Africa/Casablanca")
    assert "UTC+00:00" in EN.instant(datetime(2026, 3, 1, tzinfo=UTC), casablanca)
    assert "UTC+01:00" in EN.instant(datetime(2026, 5, 1, tzinfo=UTC), casablanca)
    assert "UTC+04:30" in EN.instant(SIX_PAST_TWO, zone("Asia/Kabul"))


def test_an_instant_without_a_zone_is_no_instant() -> None:
    with pytest.raises(ValueError, match="zone"):
        EN.instant(datetime(2026, 3, 4), UTC)


@pytest.mark.parametrize(
    ("left", "en", "ar"),
    [
        (timedelta(days=14), "14 days left", "الوقت المتبقي: 14 يومًا"),
        (timedelta(days=2), "2 days left", "الوقت المتبقي: يومان"),
        (timedelta(days=2, seconds=-1), "47 hours left", "الوقت المتبقي: 47 ساعة"),
        (timedelta(minutes=61), "61 minutes left", "الوقت المتبقي: 61 دقيقة"),
        (timedelta(seconds=59), "Less than a minute left", "بقيت أقل من دقيقة"),
        (timedelta(), "The time is over", "انتهت المهلة"),
    ],
)
def test_time_left_is_never_more_than_there_is(left: timedelta, en: str, ar: str) -> None:
    assert EN.time_left(SIX_PAST_TWO + left, SIX_PAST_TWO) == en
    assert AR.time_left(SIX_PAST_TWO + left, SIX_PAST_TWO) == ar


@pytest.mark.parametrize(
    ("day", "week"), [(date(2027, 1, 1), "2026-W53"), (date(2026, 1, 1), "2026-W01"), (date(2024, 12, 30), "2025-W01")]
)
def test_weeks_are_iso_weeks(day: date, week: str) -> None:
    assert week_of(day) == week


@pytest.mark.parametrize(("value", "decimals", "is_"), [("2.5", 0, 3), ("0.125", 2, "0.13"), ("-2.5", 0, -3)])
def test_rounding_is_half_up(value: str, decimals: int, is_: Any) -> None:
    assert rounded(value, decimals) == Decimal(is_)


def test_numbers_and_shares_have_the_language_s_signs_and_latin_digits() -> None:
    assert EN.number(1_234_567) == "1,234,567"
    assert FR.number(1_234_567) == "1\u202f234\u202f567"
    assert AR.number(1_234_567) == '<bdi dir="ltr">1,234,567</bdi>'
    assert EN.share("12.5") == "12.5%"
    assert EN.share("12.5", 0) == "13%"
    assert bare(FR.share("12.50")) == "12,50 %"
    assert AR.share("12.5") == '<bdi dir="ltr">12.5%</bdi>'


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (123_450, "SOS", "1,234.50 SOS"),
        (5_000, "XOF", "5,000 XOF"),
        (1_234, "IQD", "1.234 IQD"),
        (100, "MGA", "1.00 MGA"),
        (-1, "EUR", "-0.01 EUR"),
        (2_500, "SLL", "25.00 SLL"),
    ],
)
def test_money_has_the_decimals_of_iso_4217(minor: int, currency: str, said: str) -> None:
    assert bare(EN.money(minor, currency)) == said
    assert bare(AR.money(minor, currency)) == said


def test_lists_are_joined_as_the_language_does_and_escaped() -> None:
    items = ["<b>", name("Zahra & Co"), "c"]
    assert EN.listed(items) == "&lt;b&gt;, <bdi>Zahra &amp; Co</bdi> and c"
    assert FR.listed(["a", "b"]) == "a et b"
    assert AR.listed(["أ", "ب", "ج"]) == "أ وب وج"


def test_references_run_from_left_to_right_and_names_by_their_letters() -> None:
    assert reference("+252 61 512 3456") == '<bdi dir="ltr">+252 61 512 3456</bdi>'
    assert AR.telephone("+252 61 512 3456") == AR.reference("+252 61 512 3456") == reference("+252 61 512 3456")
    assert name("<script>") == AR.name("<script>")
    assert name("<script>") == "<bdi>&lt;script&gt;</bdi>"


def test_a_programme_s_text_is_the_reader_s_or_marked() -> None:
    assert FR.text({"en": "Health", "fr": "Santé"}) == "Santé"
    assert AR.text({"fr": "Santé", "en": "Health"}) == '<bdi lang="en">Health</bdi>'
    assert AR.text({"fr": "Santé <"}) == '<bdi lang="fr">Santé &lt;</bdi>'


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_country_and_nationality_has_a_name(language: str) -> None:
    assert len(standard_names.countries(language)) == len(country_codes()) == 250
    assert {code for code, _ in standard_names.states(language)} == state_codes()
    for code in nationality_codes():
        assert ":" not in Names(language).nationality(code)


def test_names_that_libraries_have_otherwise() -> None:
    assert [Names(language).country("XK") for language in LANGUAGES] == ["Kosovo", "Kosovo", "كوسوفو"]
    assert [Names(language).spoken("prs") for language in LANGUAGES] == ["Dari", "dari", "الدارية"]
    # By the aliases of CLDR it would be Serbian in Latin letters.
    assert Names("en").spoken(language_code("hbs")) == "Serbo-Croatian"
    assert Names("en").country("PS") == "Palestine, State of"
    assert Names("ar").country("PS") == "دولة فلسطين"
    assert Names("ar").spoken("aiw") == "Aari"
    assert Names("ar").currency("SOS") == "شلن صومالي"
    assert Names("en").currency("QQQ") == "QQQ"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_group_of_isco_has_a_title(language: str) -> None:
    titles = {code: Names(language).occupation(code) for code in occupation_codes()}
    assert all(titles.values())
    assert len(standard_names.occupations(language)) == 436
    assert len(set(titles.values())) > 550
    latin = [code for code, title in titles.items() if language == "ar" and re.search("[A-Za-z]", title)]
    assert latin == []


def test_a_group_s_title_is_the_standard_s() -> None:
    assert Names("en").occupation("2310") == "University and Higher Education Teachers"
    assert Names("fr").occupation("2211") == "Médecins généralistes"
    assert Names("ar").occupation("26") == "الاختصاصيون القانونيون والاجتماعيون والثقافيون"


def test_a_code_and_a_reason_are_named_by_the_catalogue() -> None:
    assert Names("fr").code("step", "ticket") == "Billet"
    assert Names("ar").reason("family") == "أسباب عائلية"


def test_countries_are_in_the_order_of_the_language() -> None:
    french = [code for code, _ in standard_names.countries("fr")]
    assert french.index("EG") < french.index("AE") < french.index("EC")
    arabic = [code for code, _ in standard_names.countries("ar")]
    assert arabic.index("AR") < arabic.index("JO") < arabic.index("SN")


def test_a_text_of_another_language_is_bare_where_marks_cannot_stand() -> None:
    health = {"en": "Health & care", "fr": "Santé"}
    assert text_in("fr", health) == "Santé"
    other = text_in("ar", health)
    assert other == "Health & care"
    assert escape(other) == '<bdi lang="en">Health &amp; care</bdi>'
    option = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True).get_template("options.html").module.option
    assert option("health", other, True) == '\n<option value="health" lang="en" selected>Health &amp; care</option>\n'
    assert option("health", text_in("fr", health), False) == '\n<option value="health">Santé</option>\n'
