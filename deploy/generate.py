"""Writes what is generated from the code, or with --check only says what is out of date.

    python -m deploy.generate [--check]

Exit code 0: all is current; 1 (with --check): the files named on standard error are not.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from deploy.case_map import case_map, case_tables
from deploy.definition_tables import tables
from deploy.event_map import event_map
from deploy.fact_map import fact_map
from deploy.marked_page import with_part
from deploy.replay.history import history_schema
from shared.cases.case import Case
from shared.clock import RealRuntime
from shared.contracts.base import TYPE_PREFIX, Event, schema_uri
from shared.contracts.registry import EVENTS
from shared.identity.keys import Keys
from shared.identity.roles import ROLES
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from shared.programmes.model import editor_schema
from shared.replica import Ports, stored
from shared.services import SERVICES
from shared.store.local import LocalStore
from shared.web.known_lists import KNOWN_LISTS, described
from shared.web.pages.linked import LINKED

ROOT = Path(__file__).resolve().parent.parent
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Files = Iterator[tuple[Path, str]]
GROUPS = ("registration", "matching", "placement")


def consumers() -> Mapping[str, Sequence[str]]:
    """CloudEvents type -> services that handle it, from the services' own handler tables.

    Monitoring follows every topic and derives its facts from all that is there.
    """
    handled: dict[str, list[str]] = {}
    for service in GROUPS:
        for event in handled_by(service):
            handled.setdefault(event.type_name(), []).append(service)
    return {name: [*handled.get(name, []), "monitoring"] for name in EVENTS.newest}


def cases_of(service: str) -> Sequence[Case[Any]]:
    """The cases that the service serves, in its own order."""
    return [served.case for served in built(service).cases]


def handled_by(service: str) -> Sequence[type[Event]]:
    """The types in the service's handler table."""
    handled: Sequence[type[Event]] = built(service).replica.handled
    return handled


class InMemory:
    """Settings of a service that keeps nothing."""

    issuer: str | None = None
    base_url = "http://127.0.0.1:8000"
    pages_client_id: str | None = None
    pages_client_secret: str | None = None
    mail: str | None = None
    mail_from = "office@example.org"
    mail_user: str | None = None
    mail_password: str | None = None
    readings_an_hour: int = 60
    readings_a_day: int = 300
    data: Path | None = None
    kafka: str | None = None
    webhooks_local: bool = False


@cache
def built(service: str) -> Any:
    """The service on ports in memory; it is never started."""
    runtime = RealRuntime()
    declared = importlib.import_module(f"services.{service}.store")
    store = LocalStore(None, stored(declared.COLLECTIONS, declared.SHADOWS), runtime)
    log = LocalLog(None, list(TOPICS.values()), runtime)
    ports = Ports(store, log, runtime, Keys.in_memory(random.Random(1)))
    found = importlib.import_module(f"services.{service}.app").build(ports, InMemory())
    runtime.close()
    return found


def json_text(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def event_schema(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema 2020-12 of the event's body; its $id is what `dataschema` says on the wire."""
    schema = event.model_json_schema(mode="validation")
    return {"$schema": DIALECT, "$id": schema_uri(event.type_name(), event.version), **schema}


def schemas() -> Files:
    """The newest version of each event; the files of older versions stand as they were written."""
    for name, event in EVENTS.newest.items():
        short = name.removeprefix(TYPE_PREFIX)
        yield ROOT / f"shared/contracts/schemas/{short}.{event.version}.json", json_text(event_schema(event))


def event_map_page() -> Files:
    yield ROOT / "docs/event-map.md", event_map(consumers())


def case_pages() -> Files:
    """What leads where, for all cases on one page and for a service's own in its README."""
    yield ROOT / "docs/cases.md", case_map({service: cases_of(service) for service in SERVICES})
    for service in SERVICES:
        readme = ROOT / "services" / service / "README.md"
        yield readme, with_part(readme.read_text(encoding="utf-8"), "what leads where", case_tables(cases_of(service)))


def programmes_page() -> Files:
    """The tables of what a definition may say, between their marks in a page that is otherwise written by hand."""
    page = ROOT / "docs/programmes.md"
    yield page, with_part(page.read_text(encoding="utf-8"), "what a definition may say", tables())


def fact_map_page() -> Files:
    yield ROOT / "docs/facts.md", fact_map()


def editor_schemas() -> Files:
    """What editors check files of programmes and histories against."""
    yield ROOT / "deploy/programmes/schema.json", json_text(editor_schema())
    yield ROOT / "deploy/histories/schema.json", json_text(history_schema())


def linked_pages() -> Files:
    """By the name of the field that means one: where a case has its page, and which roles may read it."""
    found = {
        case.name.removesuffix("es" if case.name.endswith("ches") else "s"): {
            "page": f"/{service}/{case.name}",
            "readers": [role for role in ROLES if role in case.readers],
        }
        for service in SERVICES
        for case in cases_of(service)
    }
    yield LINKED, json_text(found)


def known_lists_file() -> Files:
    """By service and name of its cases: what each role may ask their list for."""
    found = {f"{service}/{one.name}": described(one) for service in SERVICES for one in built(service).cases}
    yield KNOWN_LISTS, json_text(found)


# Whoever generates another file adds a function here.
SOURCES: list[Callable[[], Files]] = [
    schemas,
    event_map_page,
    case_pages,
    fact_map_page,
    programmes_page,
    editor_schemas,
    linked_pages,
    known_lists_file,
]


def generated() -> dict[Path, str]:
    """Path -> text of every generated file."""
    return {path: text for source in SOURCES for path, text in source()}


def stale() -> dict[Path, str]:
    """The generated files that are missing or differ from what the code says, with the text they should have."""
    return {p: text for p, text in generated().items() if not p.exists() or p.read_text(encoding="utf-8") != text}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.generate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a file is out of date")
    check = parser.parse_args(arguments).check
    out_of_date = stale()
    for path, text in out_of_date.items():
        print(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}", file=sys.stderr)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if check and out_of_date else 0


if __name__ == "__main__":
    sys.exit(main())
