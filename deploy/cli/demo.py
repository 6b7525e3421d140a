"""`sankofa demo`: the whole programme in one command."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.client import Client
from deploy.cli.definition import published, standing_definition
from deploy.cli.files import definition_path, history_path, read_definition
from deploy.cli.history import run_history
from deploy.cli.hosting import bound_socket
from deploy.cli.replaying import prepared
from deploy.cli.running import DataOption, PortOption
from deploy.cli.settings import DEFAULT_PORT, Settings, read_settings
from deploy.cli.statements import publish_periods
from deploy.local.parting import Guard
from shared.errors import SettingsError
from shared.programmes.indicators import Period
from shared.programmes.model import Dates, Definition

STOP_SECONDS = 10
CODE, OPEN_CODE = "trqn-1", "try-it"
OPEN_FIGURES = frozenset({"registrations", "eligible_experts", "requests", "applications"})
OPEN_TITLE = {
    "en": "Try it: an open programme for a first look, nothing of it is real",
    "fr": "À l’essai\N{NARROW NO-BREAK SPACE}: un programme ouvert pour découvrir, rien n’y est réel",
    "ar": "للتجربة: برنامج مفتوح للاطلاع، وليس فيه شيء حقيقي",
}


def demo(
    data: DataOption = None,
    port: PortOption = DEFAULT_PORT,
    exit_after: Annotated[
        bool, typer.Option("--exit", help="Ends after the figures; exit 1 where one is off.")
    ] = False,
) -> None:
    """Starts all four services, runs the history of trqn-1 and prints each figure beside its published one."""
    settings = read_settings(data=data, port=port, url=f"http://127.0.0.1:{port}")
    replay = prepared(history_path(CODE))
    # A busy port or a folder in use has to be said before the child's own words are lost in the progress bar.
    bound_socket(port).close()
    with ending(lambda: _started(settings, port)) as child:
        asyncio.run(_ready(settings, child))
        right = run_history(replay, settings, as_json=False)
        # After the figures: nothing of either is in them.
        asyncio.run(_opened(settings, datetime.now(UTC)))
        periods = [one.code for one in read_definition(definition_path(CODE)).periods]
        asyncio.run(publish_periods(CODE, periods, settings))
        if not exit_after:
            print(f"\nLook around at {settings.base_url}: enter as anybody there is. Ctrl-C ends it.", flush=True)
            print(f"To apply yourself: {settings.base_url}/registration/apply/{OPEN_CODE}", flush=True)
            print(f"Mail goes to {settings.mail}. A next start goes on with {settings.data}; --data names another.")
            print("Another port: --port.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                child.wait()
    raise typer.Exit(0 if right else 1)


def open_programme(today: date) -> Definition:
    """The demo's programme once more under a name that says so, open now: the history's own is over, and nobody could
    try to apply. Of its figures those that trying it out changes, by years."""
    history = read_definition(definition_path(CODE))
    dates = Dates(starts=date(today.year, 1, 1), ends=date(today.year + 2, 1, 1))
    figures = tuple(one for one in history.indicators if one.code in OPEN_FIGURES)
    # A definition says everything in the languages of its title.
    title = {language: OPEN_TITLE[language] for language in history.title}
    other = {"code": OPEN_CODE, "title": title, "phase": "trying-out", "dates": dates}
    years = tuple(_year(one, history.title) for one in range(dates.starts.year, dates.ends.year))
    return history.model_copy(update={**other, "periods": years, "indicators": figures})


def _year(year: int, languages: Iterable[str]) -> Period:
    starts, ends = date(year, 1, 1), date(year + 1, 1, 1)
    name = {language: str(year) for language in languages}
    return Period(code=f"year-{year}", name=name, series="years", starts=starts, ends=ends)


def to_publish(stands: Mapping[str, Any] | None, now: datetime) -> Definition | None:
    """What opens the open programme; None while the version that stands is not over, whoever published it. One that
    is over keeps all that it says but its dates."""
    opened = open_programme(now.date())
    if stands is None:
        return opened
    standing = Definition.model_validate(stands)
    return standing.model_copy(update={"dates": opened.dates}) if standing.is_over(None, now) else None


async def _opened(settings: Settings, now: datetime) -> None:
    definition = to_publish(await standing_definition(OPEN_CODE, settings), now)
    if definition is not None:
        await published(definition, settings)


@contextlib.contextmanager
def ending(started: Callable[[], subprocess.Popen[bytes]]) -> Iterator[subprocess.Popen[bytes]]:
    """The child until the end, and no longer: by SIGTERM or the end of the terminal as by Ctrl-C, of which it hears
    nothing itself in its own group; and by the end of this process, whatever that was."""

    # Ignored in a script's background, where the loop would not take it over either.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` has SIGHUP ignored.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: signal.raise_signal(signal.SIGINT))
    guard = Guard()
    child = started()
    guard.watch(child.pid)
    try:
        yield child
    finally:
        _stopped(child)
        guard.leave()


def _started(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    sankofa = Path(sys.executable).with_name("sankofa")
    # Of its own group, so that Ctrl-C reaches it once, from here, after the history has stopped asking.
    return subprocess.Popen(  # noqa: S603
        [str(sankofa), "up", "--data", str(settings.data), "--port", str(port)], start_new_session=True
    )


async def _ready(settings: Settings, child: subprocess.Popen[bytes]) -> None:
    client = Client(settings.base_url)
    waiting = asyncio.ensure_future(client.wait_ready())
    try:
        while not waiting.done():
            if child.poll() is not None:
                raise SettingsError("the services did not start")
            await asyncio.wait([waiting], timeout=0.1)
        await waiting
    finally:
        waiting.cancel()
        await client.close()


def _stopped(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
