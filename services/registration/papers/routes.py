"""Where the papers are served: to programs, and to readers of pages; and the page that checks a certificate."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from services.registration.papers.checking import checking_router
from services.registration.papers.knowing import Knowing
from services.registration.papers.setting import NamedPapers
from services.registration.work.readings import Readings
from shared.identity.rights import Rights
from shared.papers.named import CERTIFICATE, OFFER
from shared.replica import Replica
from shared.web.papers import paper_routes

PAPER_RIGHTS: tuple[Rights, ...] = (CERTIFICATE.rights, OFFER.rights)


@dataclass(frozen=True)
class PaperRouters:
    """`edge`: below `/v1`; `pages`: for whoever reads pages."""

    edge: tuple[APIRouter, ...]
    pages: tuple[APIRouter, ...]


def paper_routers(replica: Replica, readings: Readings, base_url: str) -> PaperRouters:
    knowing, keys = Knowing(replica), replica.ports.keys
    papers = NamedPapers(knowing, readings, keys, base_url)
    certificates, of_certificates = paper_routes(CERTIFICATE, papers.certificate)
    offers, of_offers = paper_routes(OFFER, papers.offer)
    return PaperRouters((certificates, offers), (of_certificates, of_offers, checking_router(knowing, keys)))
