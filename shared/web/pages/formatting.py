"""Dates, times, numbers, money, lists and names as pages write them in the reader's language.

Digits are Latin and the calendar is Gregorian in every language; months are named, hours count to 24. Everything is
rounded here, half up, before a library formats it (docs/decisions/0041-words-of-three-languages.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import date as Day
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, lru_cache
from gettext import GNUTranslations
from typing import Literal, Self

from babel import Locale
from babel.dates import format_date, get_timezone_location
from babel.lists import format_list
from babel.numbers import format_decimal
from babel.units import format_unit
from markupsafe import Markup, escape

from shared.web.pages.words import translations

# As many characters of an id as tell one case from another to people; the whole one stands in the address.
REFERENCE_CHARACTERS = 8
# Dates in the order that most readers of English here write them in.
_LOCALES: Mapping[str, str] = {"en": "en_GB", "fr": "fr", "ar": "ar"}
# ISO 4217's minor units where they are not two. CLDR's differ (SOS, AFN, MGA: none), and payment files go by ISO.
_MINOR_UNITS: Mapping[str, int] = {
    code: decimals
    for decimals, codes in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for code in codes.split()
}
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# Down to two of a unit, so that nobody reads "1 day left" with two hours less than that to go.
_LEFT = ((_DAY, "duration-day"), (_HOUR, "duration-hour"), (_MINUTE, "duration-minute"))


@cache
def locale_of(language: str) -> Locale:
    return Locale.parse(_LOCALES[language])


@lru_cache(maxsize=4_096)
def _day_in_words(language: str, day: Day) -> str:
    text = format_date(day, "d MMMM y", locale=locale_of(language))
    return text.replace("1 ", "1er ", 1) if language == "fr" and day.day == 1 else text


@lru_cache(maxsize=4_096)
def _minute_in_words(language: str, zone: tzinfo, minute: datetime, offset: timedelta) -> Markup:
    """`minute`: on the clocks of the zone; `offset`: theirs then, since a clock that is put back shows it twice."""
    words = translations(language)
    said = {"date": _day_in_words(language, minute.date()), "time": _left_to_right(language, f"{minute:%H:%M}")}
    if zone is UTC or str(zone) == "UTC":
        return filled(words.gettext("%(date)s, %(time)s UTC"), **said)
    said |= {"city": _city_of(language, zone), "offset": _left_to_right(language, _offset(offset))}
    return filled(words.gettext("%(date)s, %(time)s (%(city)s time, %(offset)s)"), **said)


def _left_to_right(language: str, text: str) -> Markup:
    """What runs from left to right: where that is the page's own direction, as it is."""
    return reference(text) if _runs_from_right(language) else escape(text)


@cache
def _runs_from_right(language: str) -> bool:
    return bool(locale_of(language).text_direction == "rtl")


@cache
def _city_of(language: str, zone: tzinfo) -> str:
    city: str = get_timezone_location(zone, locale=locale_of(language), return_city=True)
    return city


def rounded(value: int | str | Decimal, decimals: int) -> Decimal:
    """The number with so many decimals, half up."""
    return Decimal(value).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def week_of(day: Day) -> str:
    """The ISO 8601 week, as `2026-W53`: a locale's own weeks begin on other days."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


class Foreign(str):
    """A text of a definition in another language than its reader's: bare as it is, marked with `lang` on a page."""

    language: str

    def __new__(cls, text: str, language: str) -> Self:
        found = super().__new__(cls, text)
        found.language = language
        return found

    @property
    def bare(self) -> str:
        return str(self)

    def __html__(self) -> str:
        return Markup('<bdi lang="{}">{}</bdi>').format(self.language, self.bare)


def text_in(language: str, texts: Mapping[str, str]) -> str:
    """A text of a definition in that language; else in English, or in the first that it has, as `Foreign`."""
    if language in texts:
        return texts[language]
    other = "en" if "en" in texts else next(iter(texts))
    return Foreign(texts[other], other)


def name(text: str) -> Markup:
    """A person's, an institution's or any other proper name, in the direction of its own letters."""
    return Markup("<bdi>{}</bdi>").format(text)


def reference(text: str) -> Markup:
    """A reference, a code or a telephone number: from left to right whatever stands around it."""
    # Not by `Markup.format`, which takes ten times as long: a list has hundreds of them.
    return Markup(f'<bdi dir="ltr">{escape(text)}</bdi>')  # noqa: S704


telephone = reference


@dataclass(frozen=True)
class Formats:
    """`own`: the reader's time zone, if it is known; it is said second, after the office's."""

    language: str
    own: tzinfo | None = None

    @property
    def _locale(self) -> Locale:
        return locale_of(self.language)

    @property
    def _words(self) -> GNUTranslations:
        return translations(self.language)

    # As templates call them, which have one name for all that is formatted.
    name = staticmethod(name)
    reference = staticmethod(reference)
    telephone = staticmethod(telephone)
    week_of = staticmethod(week_of)

    def date(self, day: Day) -> Markup:
        """`4 March 2026`."""
        return Markup('<time datetime="{}">{}</time>').format(day.isoformat(), self._long(day))

    def month(self, day: Day) -> Markup:
        """`March 2026`."""
        text = format_date(day, "MMMM y", locale=self._locale)
        return Markup('<time datetime="{}">{}</time>').format(f"{day:%Y-%m}", text)

    def known(self, year: int, month: int | None, day: int | None, *, about: bool) -> Markup:
        """A day, a month or a year, as exactly as it is known. ValueError for a day that the calendar has not."""
        if month is not None:
            return self.date(Day(year, month, day)) if day is not None else self.month(Day(year, month, 1))
        text = reference(str(year))
        return filled(self._words.gettext("about %(year)s"), year=text) if about else text

    def days(self, starts_on: Day, ends_on: Day) -> Markup:
        """The first and the last day of `[starts_on, ends_on)`: people count to the last day, not to the one after."""
        last = max(starts_on, ends_on - timedelta(days=1))
        sentence = self._words.gettext("%(first)s to %(last)s")
        return filled(sentence, first=self.date(starts_on), last=self.date(last))

    def instant(self, at: datetime, zone: tzinfo) -> Markup:
        """Date, time, the zone's city and its offset then; the reader's own time second where it is another one.

        ValueError for an instant without its zone.
        """
        text = self._in_zone(at, zone)
        if self.own is None or at.astimezone(self.own).utcoffset() == at.astimezone(zone).utcoffset():
            return text
        sentence = self._words.gettext("%(theirs)s; your time: %(own)s")
        return filled(sentence, theirs=text, own=self._in_zone(at, self.own))

    def day_of(self, at: datetime, zone: tzinfo) -> Markup:
        """The day of an instant in that zone."""
        return self.date(at.astimezone(zone).date())

    def time_left(self, until: datetime, now: datetime) -> str:
        """In words and rounded down: whoever has a day less one minute is not told of a day."""
        left = until - now
        for unit, called in _LEFT:
            if left >= 2 * unit or (unit is _MINUTE and left >= unit):
                time = format_unit(left // unit, called, locale=self._locale)
                return self._words.gettext("%(time)s left") % {"time": time}
        if left > timedelta():
            return self._words.gettext("Less than a minute left")
        return self._words.gettext("The time is over")

    def number(self, value: int | str | Decimal, decimals: int = 0) -> Markup:
        return self._ltr(self._digits(value, decimals))

    def share(self, percent: int | str | Decimal, decimals: int | None = None) -> Markup:
        """A share that is given in percent; without `decimals` with those that it comes with."""
        exponent = Decimal(percent).as_tuple().exponent
        given = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        number = self._digits(percent, given if decimals is None else decimals)
        pattern: str = self._locale.percent_formats[None].pattern
        return self._ltr(pattern.replace("#,##0", number).replace("\N{RIGHT-TO-LEFT MARK}", ""))

    def money(self, amount_minor: int, currency: str) -> Markup:
        """The amount in the currency's minor units by ISO 4217, with its code: a sign stands for several currencies."""
        decimals = _MINOR_UNITS.get(currency, 2)
        amount = self._digits(Decimal(amount_minor).scaleb(-decimals), decimals)
        return self._ltr(f"{amount}\N{NO-BREAK SPACE}{currency}")

    def listed(self, items: Iterable[str], *, either: bool = False) -> Markup:
        """`a, b and c` (`either`: `a, b or c`), each escaped unless it is markup already."""
        style: Literal["or", "standard"] = "or" if either else "standard"
        return Markup(format_list([str(escape(item)) for item in items], style, locale=self._locale))  # noqa: S704

    def text(self, texts: Mapping[str, str]) -> Markup:
        """A text of a programme's definition: in the reader's language, or marked as the one that it is in."""
        return escape(text_in(self.language, texts))

    def _long(self, day: Day) -> str:
        return _day_in_words(self.language, day)

    def _in_zone(self, at: datetime, zone: tzinfo) -> Markup:
        if at.tzinfo is None:
            raise ValueError("an instant needs its zone")
        local = at.astimezone(zone)
        minute = local.replace(second=0, microsecond=0, tzinfo=None)
        text = _minute_in_words(self.language, zone, minute, local.utcoffset() or timedelta())
        in_utc = at if at.tzinfo is UTC else at.astimezone(UTC)
        return Markup(f'<time datetime="{in_utc.isoformat()[:19]}Z">{text}</time>')  # noqa: S704

    def _digits(self, value: int | str | Decimal, decimals: int) -> str:
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        text: str = format_decimal(rounded(value, decimals), format=pattern, locale=self._locale)
        return text.replace("\N{LEFT-TO-RIGHT MARK}", "")

    def _ltr(self, text: str) -> Markup:
        return _left_to_right(self.language, text)


def filled(sentence: str, **values: str) -> Markup:
    """A sentence of the catalogue with its values, escaped unless they are markup."""
    return Markup(sentence % {name: escape(value) for name, value in values.items()})  # noqa: S704


def _offset(offset: timedelta) -> str:
    """`UTC+03:00` by the offset then: what a zone calls its saving of daylight is wrong for Casablanca in Ramadan."""
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
