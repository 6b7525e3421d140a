"""Definitions of programmes as every replica knows them: it follows their topic (docs/kernel.md, section 6)."""

from __future__ import annotations

import asyncio
from datetime import date, tzinfo
from typing import Any

from pydantic import ValidationError

from shared.clock import Runtime, stop_tasks
from shared.contracts.registration.programmes import ProgrammePublished
from shared.errors import PortError, Refusal, TooEarly
from shared.messaging.port import Log, Record
from shared.messaging.reading import Unreadable, parse
from shared.messaging.topics import PROGRAMMES
from shared.programmes.model import Definition, Office
from shared.programmes.published import published
from shared.telemetry.observability import count, logger

PUBLISHED = "the code of a programme that was published"
WAIT_SECONDS = 30.0
RETRY_SECONDS = 1.0


class Definitions:
    """Versions of programmes by code. A case keeps the version that it was opened under; new ones take the newest."""

    def __init__(self, log: Log, runtime: Runtime) -> None:
        self._log = log
        self._runtime = runtime
        self._versions: dict[str, dict[int, Definition]] = {}
        self._offset = 0
        self._end_at_start: int | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        self._tasks = [self._runtime.spawn(self._follow(), "definitions", lasting=True)]

    async def stop(self) -> None:
        await stop_tasks(self._tasks)

    @property
    def ready(self) -> bool:
        """Whether the end of the topic, as asked for at start, has been reached."""
        return self._end_at_start is not None and self._offset >= self._end_at_start

    def codes(self) -> list[str]:
        return sorted(self._versions)

    def offices(self) -> dict[str, frozenset[str]]:
        """The offices that any version of each programme names. Raises TooEarly while this replica starts."""
        if not self.ready:
            raise TooEarly("programmes")
        return {
            code: frozenset(
                name
                for one in versions.values()
                for office in one.offices
                for name in (office.code, *office.predecessors)
            )
            for code, versions in self._versions.items()
        }

    def newest(self, code: str) -> Definition:
        """Raises Refusal (404) for a code that nobody published; TooEarly while this replica starts."""
        return self._of(code)[self.newest_version(code)]

    def newest_version(self, code: str) -> int:
        return max(self._of(code))

    def version(self, code: str, version: int) -> Definition:
        """Raises TooEarly for a version that has not arrived here yet."""
        try:
            return self._versions[code][version]
        except KeyError:
            raise TooEarly("programme_version") from None

    def listed(self, code: str | None) -> dict[str, frozenset[str]]:
        """The countries of work and the sectors that any version lists, of that programme or of all, by the word of the
        list. Raises as `newest`; TooEarly while this replica starts."""
        if not self.ready:
            raise TooEarly("programmes")
        versions = [one for name in (self.codes() if code is None else [code]) for one in self._of(name).values()]
        return {
            "country": frozenset(country for one in versions for country in one.countries_of_origin),
            "sector": frozenset(sector.code for one in versions for sector in one.sectors),
        }

    def former_ends(self, code: str) -> frozenset[date]:
        """The days on which earlier versions said that the programme is over, and the newest one does not."""
        return frozenset(one.dates.ends for one in self._of(code).values()) - {self.newest(code).dates.ends}

    def office(self, code: str, version: int | None, office: str | None) -> Office | None:
        """The office as the case's version lists it, else as the programme's first version that does: one that a case
        was passed on to may be younger than the case. None for an office that none lists.

        Raises TooEarly for a version that has not arrived here yet; without one, as `newest` does.
        """
        asked = () if version is None else (self.version(code, version),)
        versions = self._of(code)
        found = (one.office(office) for one in (*asked, *(versions[one] for one in sorted(versions))) if office)
        return next((one for one in found if one is not None), None)

    def for_new(self, code: str, *, status: int = 404) -> tuple[int, Definition]:
        """The newest version of the programme that the body of a new case names, and what it says. Refusal
        `programme_unknown` at `/programme`; raises TooEarly while this replica starts."""
        try:
            return self.newest_version(code), self.newest(code)
        except Refusal as refusal:
            raise Refusal(refusal.rule, refusal.detail, at="/programme", status=status) from None

    def zone_of(self, code: str, version: int | None, office: str | None) -> tzinfo:
        """In which zone the days of a case are reckoned: its office's, as `office` finds it; else as its version says
        for a case without one. Raises as `office` does."""
        found = self.office(code, version, office)
        if found is not None:
            return found.zone
        return (self.newest(code) if version is None else self.version(code, version)).zone_of(None)

    def office_now(self, code: str | None, office: str) -> Office | None:
        """The office as the programme's newest version has it; for a case of no programme, as the first programme by
        its code has it. None for one that is gone. Raises TooEarly while the programme has not arrived here."""
        if not self.ready or (code is not None and code not in self._versions):
            raise TooEarly("programmes")
        found = (self.newest(one).office(office) for one in ([code] if code else self.codes()))
        return next((one for one in found if one is not None), None)

    def every_office(self) -> dict[str, Office]:
        """Each office by its code, those that are gone among them: as the first programme by its code has it now, else
        as the newest version does that has it. Empty while this replica starts."""
        if not self.ready:
            return {}
        newest = [self.newest(code) for code in self.codes()]
        older = [one for versions in self._versions.values() for _, one in sorted(versions.items(), reverse=True)]
        return {office.code: office for one in reversed([*newest, *older]) for office in one.offices}

    def _of(self, code: str) -> dict[int, Definition]:
        if not self.ready:
            raise TooEarly("programmes")
        if code not in self._versions:
            raise Refusal("programme_unknown", PUBLISHED, status=404)
        return self._versions[code]

    async def _follow(self) -> None:
        while True:
            try:
                if self._end_at_start is None:
                    self._end_at_start = (await self._log.ends([PROGRAMMES.name]))[(PROGRAMMES.name, 0)]
                await self._read_on()
                await self._log.wait([PROGRAMMES.name], {(PROGRAMMES.name, 0): self._offset}, timeout=WAIT_SECONDS)
            except PortError:
                await self._runtime.sleep(RETRY_SECONDS)

    async def _read_on(self) -> None:
        while records := await self._log.read(PROGRAMMES.name, 0, self._offset):
            for record in records:
                if not self._take(record):
                    count("definition_unreadable")
                    logger.error("definition_unreadable", offset=record.offset)
                self._offset = record.offset + 1

    def _take(self, record: Record) -> bool:
        """Keeps the definition; False where there is none that can be used: it must hide no other programme."""
        read = parse(record)
        if isinstance(read, Unreadable) or not isinstance(read[1], ProgrammePublished):
            return False
        event = read[1]
        try:
            definition = published(event.definition)
        except ValidationError:
            return False
        self._versions.setdefault(event.code, {}).setdefault(event.definition_version, definition)
        return True
