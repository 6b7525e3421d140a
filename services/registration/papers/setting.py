"""Sets the papers that name a person, for whoever may read them: the trail has it before the name is opened."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from urllib.parse import urlencode

from services.registration.domain.papers import MATCH, PLACEMENT
from services.registration.domain.readings import PaperPurpose
from services.registration.identifiers import SERVICE
from services.registration.papers import checking
from services.registration.papers.knowing import Knowing, Told
from services.registration.store import EXPERTS
from services.registration.work.readings import Readings
from shared.clock import instant_of
from shared.errors import Refusal
from shared.identity.keys import Keys
from shared.papers.named import CERTIFICATE, OFFER, PaperOf
from shared.papers.runs import Runs, runs_of
from shared.papers.typesetting import Paper, Row, row
from shared.web.callers import Granted
from shared.web.pages.formatting import name as proper_name
from shared.web.pages.paper_words import PaperWords
from shared.web.pages.words import translations

TEMPLATE = Path(__file__).with_name("named.typ")
_WORK = ("country", "area", "sector", "occupation", "modality")


class NamedPapers:
    """`base_url`: where people reach the pages that the papers lead to."""

    def __init__(self, knowing: Knowing, readings: Readings, keys: Keys, base_url: str) -> None:
        self._knowing = knowing
        self._readings = readings
        self._keys = keys
        self._base_url = base_url

    async def offer(self, id: str, language: str, granted: Granted) -> Paper:
        """Of a match, while an offer is out or was accepted. Refusal 404 where there is none for the caller.

        Raises KeyDestroyed for an erased person, SealBroken, TooEarly, Unavailable, Overloaded.
        """
        told, name = await self._opened(id, (MATCH, "stands", "offered_until"), "offer_letter", granted)
        words, _ = PaperWords(language, told.definition), translations(language).gettext
        until = words.formats.instant(instant_of(told.known["offered_until"]), told.zone)
        rows = [
            row(runs_of(_("Reference")), words.reference(words.short(id))),
            *self._of_work(told, words),
            words.days(told.terms),
            row(words.label("expires_at"), runs_of(until)),
        ]
        return _paper(
            OFFER,
            (id, told.day("offered_at")),
            words,
            runs_of(_("The assignment below is offered to")),
            name,
            rows,
            runs_of(_("The offer can be accepted or declined here; after its time is over it stands no more:")),
            f"{self._base_url}/matching/matches/{id}",
        )

    async def certificate(self, id: str, language: str, granted: Granted) -> Paper:
        """Of a placement that is complete. As `offer`."""
        told, name = await self._opened(id, (PLACEMENT, *checking.NEEDED), "certificate", granted)
        words, _ = PaperWords(language, told.definition), translations(language).gettext
        day, code = told.day("completed_at"), checking.code_of(self._keys, id)
        rows = [
            row(runs_of(_("Reference")), words.reference(id)),
            *self._of_work(told, words),
            *(row(runs_of(label), runs_of(value)) for label, value in checking.certified(told, words)),
            row(runs_of(_("Code to check it")), words.reference(code)),
        ]
        asked = urlencode({checking.REFERENCE: id, checking.CODE: code})
        return _paper(
            CERTIFICATE,
            (id, day),
            words,
            runs_of(_("It is certified that the assignment below was completed by")),
            name,
            rows,
            runs_of(_("Whoever is shown this certificate can check here whether it was issued:")),
            f"{self._base_url}/{SERVICE}{checking.PATH}?{asked}",
        )

    async def _opened(
        self, id: str, needed: tuple[str, ...], purpose: PaperPurpose, granted: Granted
    ) -> tuple[Told, Runs]:
        """What is told, and the person's name, for whoever may read the expert's case."""
        told = await self._knowing.told(id, *needed)
        if told is None:
            raise Refusal("not_found", status=404)
        expert = await granted.load(EXPERTS.name, told.known["expert"])
        own = any(grant.relation == "own" for grant in granted.grants)
        names = await self._readings.names(expert["state"]["person"], granted.principal, purpose, own=own)
        return told, runs_of(proper_name(" ".join(names.values())))

    def _of_work(self, told: Told, words: PaperWords) -> list[Row]:
        host = row(words.label("institution"), runs_of(words.formats.name(told.host)))
        return [host, *words.of_terms(told.terms, _WORK)]


def _paper(
    named: PaperOf,
    of: tuple[str, date],
    words: PaperWords,
    opening: Runs,
    name: Runs,
    rows: list[Row],
    closing: Runs,
    address: str,
) -> Paper:
    id, dated = of
    texts = {"programme": runs_of(words.programme()), "opening": opening, "name": name, "rows": rows}
    title = translations(words.language).gettext(f"paper:{named.name}")
    return Paper(
        TEMPLATE, words.language, title, words.short(id), dated, {**texts, "closing": closing, "address": address}
    )
