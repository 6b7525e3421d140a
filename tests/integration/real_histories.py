"""A history through the public edges of real processes, and what it has to leave behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from deploy.cli.client import Client
from deploy.cli.files import definition_path
from deploy.cli.replaying import figures_of
from deploy.cli.runner import Journal, Runner
from deploy.cli.settings import Settings
from deploy.cli.token import LIFETIME, issuer_of, operators_token
from deploy.replay.expansion import expand
from deploy.replay.history import History, load_history
from deploy.replay.steps import Step
from shared.clock import RealRuntime
from shared.identity.roles import Role
from shared.messaging.kafka import KafkaLog
from shared.messaging.topics import TOPICS
from shared.programmes.loader import load_definition
from shared.store.collection import Collection
from shared.store.mongodb import MongoStore
from shared.store.port import Store
from tests.e2e.evidence import gathered
from tests.integration.real_system import RealSystem, Running
from tests.simulation.evidence import Evidence

SMALL = Path(__file__).with_name("real_history.yaml")


@dataclass(frozen=True)
class Prepared:
    """A history and its steps."""

    history: History
    steps: tuple[Step, ...]


def small(code: str, seed: int) -> Prepared:
    """The small history as a programme of its own; document numbers carry its code, so nobody is in two."""
    text = definition_path("trqn-1").read_text()
    definition = load_definition(re.sub(r"(?m)^code: .*", f"code: {code}", text, count=1))
    told = SMALL.read_text()
    for name, value in (("code", code), ("programme", code), ("seed", str(seed))):
        told = re.sub(rf"(?m)^{name}: .*", f"{name}: {value}", told, count=1)
    history = load_history(told, definition)
    return Prepared(history, expand(history, definition))


def token_of(settings: Settings) -> Callable[[Step], str]:
    """Tokens of the system's own issuer."""
    issuer = issuer_of(settings)

    def issued(step: Step) -> str:
        return issuer.issue(cast(Role, step.role), step.office, step.subject, LIFETIME)

    return issued


async def run_through(
    system: Running, prepared: Prepared, progress: Callable[[int, str], None] = lambda _by, _note: None
) -> dict[str, dict[str, str]]:
    """Every step acknowledged, the services at rest; what each was answered."""
    client = Client(system.url)
    journal = _journal(system, prepared.history.code)
    try:
        await Runner(prepared.history.code, prepared.steps, client, journal, token_of(system.settings), progress).run()
        await client.wait_quiet()
        return dict(journal.answers)
    finally:
        journal.close()
        await client.close()


def _journal(system: Running, code: str) -> Journal:
    return Journal(system.folder / "journals" / f"{code}.jsonl")


def journal_of(system: Running, code: str) -> dict[str, dict[str, str]]:
    """What `run_through` has been answered so far; nothing where it was not called."""
    journal = _journal(system, code)
    journal.close()
    return dict(journal.answers)


async def wrong_figures(system: Running, history: History) -> list[str]:
    """The declared figures that are not met."""
    client = Client(system.url)
    try:
        rows = await figures_of(client, operators_token(system.settings, "figures"), history)
    finally:
        await client.close()
    return [f"{one['code']} {one['period']}: {one['ours']}, not {one['published']}" for one in rows if not one["right"]]


async def left_behind(system: RealSystem) -> Evidence:
    """Every record of the topics and every document of the stores, read through the ports."""
    runtime = RealRuntime()
    log = KafkaLog(system.kafka.bootstrap_servers, list(TOPICS.values()), runtime, client_id="checker")

    def store_of(service: str, collections: Sequence[Collection]) -> Store:
        return MongoStore(system.store.url, f"sankofa_{service}", collections, runtime)

    try:
        return await gathered(log, store_of)
    finally:
        runtime.close()
