"""An export as a job: of which statements it is, is settled when it is asked for, so that it says the same whenever it
is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Literal, Protocol

from pydantic import BaseModel, Field

from services.monitoring.domain.series import Place
from services.monitoring.exports.formats import FORMATS, Exported, Format, export, numbers_of
from services.monitoring.exports.stated import TOO_LARGE
from services.monitoring.published import Published
from services.monitoring.rights import SEE_STATEMENTS
from services.monitoring.work.kept import Signed
from shared.cases.bodies import Input
from shared.clock import Runtime, text_of
from shared.contracts.base import Code, Instant, Key
from shared.errors import Refusal
from shared.jobs.content import CONTENT_BYTES_AT_MOST, PIECE_BYTES_AT_MOST
from shared.jobs.kinds import JobKind, Offered, Step, Work
from shared.programmes.model import Definition

EXPORTS, CREATE, KIND = "exports", "create", "export"
FIGURES = "figures"
SAID = ("programme", "format", "language", "period", "statements", "as_of", "definition_version", "digest", "detail")
NEVER_PUBLISHED, NOTHING_THEN, NOTHING_YET = "period_never_published", "nothing_published_then", "nothing_published_yet"
# What asking may be refused by, and what a writer refuses.
OF_ASKING = (NOTHING_YET, NOTHING_THEN, NEVER_PUBLISHED, "period_unknown")
OF_WRITING = (
    TOO_LARGE,
    "not_in_programme",
    "export_not_declared",
    "not_mapped",
    "no_dhis2_period",
    "unknown_period",
    "letters_without_font",
)
FormatCode = Literal["csv", "xlsx", "hxl", "parquet", "iati", "dhis2", "adx", "report"]
Language = Literal["en", "fr", "ar"]


class ExportAsked(Input):
    """What is asked for. `period`: of that one alone, else of all that were published. `as_of`: an instant at which
    something was published, else now. `language`: that of names, else the reader's."""

    format: FormatCode
    period: Key | None = None
    as_of: Instant | None = None
    language: Language | None = None


class ExportSettled(BaseModel):
    """The same with what followed from it then. `last`: the number of the last statement that counts; `version`: of the
    definition, by which others are told what figures are called."""

    programme: Code
    format: FormatCode
    period: Key | None = None
    language: Language
    last: int = Field(ge=1)
    version: int = Field(ge=1)


class Versions(Protocol):
    """Raises TooEarly for a version that is not here yet, Refusal 404 for a programme that nobody published."""

    def newest_version(self, code: str) -> int: ...

    def version(self, code: str, version: int) -> Definition: ...


class Exporting:
    """The kind of job, and what is asked of it."""

    def __init__(self, published: Published, versions: Versions, runtime: Runtime) -> None:
        self._published = published
        self._versions = versions
        self._runtime = runtime

    def kind(self) -> JobKind[ExportSettled]:
        return JobKind(
            KIND,
            ExportSettled,
            self.chunk,
            EXPORTS,
            CREATE,
            SEE_STATEMENTS,
            counts=(FIGURES,),
            says=SAID,
            rules=(*OF_ASKING, *OF_WRITING),
            media_types=tuple(dict.fromkeys(one.media_type for one in FORMATS.values())),
            files_to={"administrator": "all"},
        )

    async def settled(self, programme: str, asked: ExportAsked, language: Language) -> ExportSettled:
        """What the export is of. Refusal 404 for a programme that there is not; 422 `nothing_published_yet`,
        `nothing_published_then` for another instant than one at which something was published, `period_unknown`,
        `period_never_published`."""
        version, issued = self._versions.newest_version(programme), (await self._published.series(programme)).issued
        if not issued:
            raise Refusal(NOTHING_YET, "nothing was published of the programme yet", status=422)
        if asked.as_of is not None and asked.as_of not in {one.at for one in issued}:
            detail = "an instant at which something was published: `issued_at` of a statement"
            raise Refusal(NOTHING_THEN, detail, at="/as_of", status=422)
        found = [one for one in issued if asked.as_of is None or one.at <= asked.as_of]
        of_period = [one for one in found if asked.period in (None, one.period)]
        if not of_period:
            known = self._versions.version(programme, version).period(str(asked.period)) is not None
            rule = NEVER_PUBLISHED if known or asked.period in {one.period for one in issued} else "period_unknown"
            raise Refusal(rule, "a period of which something was published by then", at="/period", status=422)
        return ExportSettled(
            programme=programme,
            format=asked.format,
            period=asked.period,
            language=asked.language or language,
            last=of_period[-1].number,
            version=version,
        )

    async def chunk(self, work: Work[ExportSettled]) -> Step:
        """First how much it is, then the file."""
        asked = work.body
        places = chosen((await self._published.series(asked.programme)).issued, asked)
        if not work.cursor:
            return await self._read(asked, places)
        try:
            found = await self._made(asked, [await self._published.signed(one.digest) for one in places])
        except Refusal as refusal:
            return _refused(refusal, work.total)
        for start in range(0, len(found.content), PIECE_BYTES_AT_MOST):
            await work.content.append(found.name, found.content[start : start + PIECE_BYTES_AT_MOST])
        return Step(
            {"stage": "made"},
            found.rows,
            found.rows,
            counts={FIGURES: found.rows},
            said={"digest": found.digest},
            files=(Offered(found.name, found.media_type),),
            then="end",
        )

    async def _read(self, asked: ExportSettled, places: Sequence[Place]) -> Step:
        """How many figures it has: of more than the form holds no more is read."""
        form, rows, as_of = FORMATS[asked.format], 0, None
        for place in places:
            statement = (await self._published.signed(place.digest)).statement
            rows, as_of = rows + sum(len(table.cells) for table in statement.tables), statement.as_of
            if rows > form.most:
                detail = f"a file of this form holds {form.most} figures: ask for one period"
                return _refused(Refusal(TOO_LARGE, detail), None)
        said = _said(asked, form, [one.number for one in places], as_of)
        return Step({"stage": "make"}, 0, rows, counts={FIGURES: rows}, said=dict(said))

    async def _made(self, asked: ExportSettled, statements: Sequence[Signed]) -> Exported:
        """Of as many figures as a form holds it takes six seconds of the pool. Raises Refusal as the form's writer."""
        named = {asked.version, *(one.statement.definition_version for one in statements)}
        versions = {version: self._versions.version(asked.programme, version) for version in named}
        making = partial(export, asked.format, statements, versions, asked.version, asked.language)
        found = await self._runtime.in_pool(making)
        if len(found.content) > CONTENT_BYTES_AT_MOST:
            raise Refusal(
                TOO_LARGE, f"a file has {CONTENT_BYTES_AT_MOST} bytes at most: ask for one period", status=422
            )
        return found


def chosen(issued: Sequence[Place], asked: ExportSettled) -> list[Place]:
    """The statements in their order; for a form that says what stands of each period the newest."""
    found = [one for one in issued[: asked.last] if asked.period in (None, one.period)]
    if not FORMATS[asked.format].standing:
        return found
    return sorted({one.period: one for one in found}.values(), key=lambda one: one.number)


def _said(
    asked: ExportSettled, form: Format, numbers: Sequence[int], as_of: datetime | None
) -> Iterator[tuple[str, str]]:
    """What stays of the export when its file is gone."""
    yield from (("programme", asked.programme), ("format", asked.format))
    if form.worded:
        yield "language", asked.language
    if asked.period is not None:
        yield "period", asked.period
    yield "statements", numbers_of(numbers)
    if as_of is not None:
        yield "as_of", text_of(as_of)
    yield "definition_version", str(asked.version)


def _refused(refusal: Refusal, total: int | None) -> Step:
    """It has failed, with what a definition does not say by its name."""
    detail = next((one.detail for one in refusal.problems if one.detail), refusal.detail)
    return Step(
        {"stage": "refused"}, 0, total, said={"detail": detail} if detail else {}, then="end", rule=refusal.rule
    )
