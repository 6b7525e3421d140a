"""Statements from the command line: the demo publishes periods, `sankofa figures verify` checks what was published."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import httpx
import typer
from pydantic import ValidationError

from deploy.cli.client import Call, Client, reason_of
from deploy.cli.files import read_object
from deploy.cli.keyring import keys_of
from deploy.cli.settings import Settings, read_settings
from deploy.cli.token import issued_of, operators_token
from services.monitoring.domain.statements import statement_id
from shared.canonical import canonical_json
from shared.contracts.monitoring.statements import Statement
from shared.errors import SettingsError
from shared.identity.keys import verify_receipt
from shared.programmes.model import Definition

app = typer.Typer(help="A programme's indicators, and what was published of them.", no_args_is_help=True)
UrlOption = Annotated[str | None, typer.Option(help="The running system.")]
CodeArgument = Annotated[str, typer.Argument(help="The programme's code.")]
FileArgument = Annotated[Path, typer.Argument(help="What `sankofa figures statements` printed, or one statement.")]
KeysOption = Annotated[
    Path | None, typer.Option(help="The published keys (`GET /monitoring/v1/keys`); else the local folder.")
]
FactsOption = Annotated[
    Path | None, typer.Option(help="What `sankofa figures facts` printed: counts the statement anew from it.")
]
STATEMENTS = "/monitoring/v1/statements"
# Who freezes is not who verifies.
SERVICE, SIGNING_KEY = "monitoring", "monitoring/receipts/current.key"
MAKER, CHECKER = "statements-maker", "statements-checker"


async def publish_periods(programme: str, periods: Iterable[str], settings: Settings) -> None:
    """As `publish_each`, by two administrators of the issuer. SettingsError where it gives no tokens of people."""
    maker, checker = (issued_of(settings)("administrator", None, one) for one in (MAKER, CHECKER))
    client = Client(settings.base_url)
    try:
        await publish_each(client, programme, list(periods), maker, checker)
    finally:
        await client.close()


async def publish_each(client: Client, programme: str, periods: Sequence[str], maker: str, checker: str) -> None:
    """Freezes, verifies and publishes each period that was not published before, one after the other: what is withheld
    follows from what stands. Doing it again goes on where it was. Raises StepFailed."""
    # Counted together: each waits until all that happened before is known.
    await asyncio.gather(*(_frozen(client, programme, one, maker) for one in periods))
    for period in periods:
        await _published(client, statement_id(programme, period), maker, checker)


async def _frozen(client: Client, programme: str, period: str, token: str) -> None:
    id, body = statement_id(programme, period), {"programme": programme, "period": period}
    if not (await client.send(Call("GET", f"{STATEMENTS}/{id}", token))).is_success:
        await client.send_until_done(Call("POST", STATEMENTS, token, f"freeze-{id}", body))
    await _standing(client, id, token, "frozen", "verified", "publishing", "published", "restated")


async def _published(client: Client, id: str, maker: str, checker: str) -> None:
    found = await _standing(client, id, maker, "frozen", "verified", "publishing", "published", "restated")
    counted = found["counted"]
    if found["state"] == "frozen":
        verify = Call("POST", f"{STATEMENTS}/{id}/verify", checker, f"verify-{counted}", {"counted": counted})
        found = await client.send_until_done(verify)
    if found["state"] == "verified":
        await client.send_until_done(Call("POST", f"{STATEMENTS}/{id}/publish", maker, f"publish-{counted}", {}))
    await _standing(client, id, maker, "published", "restated")


async def _standing(client: Client, id: str, token: str, *states: str) -> dict[str, Any]:
    """The period once it stands in one of these states."""
    read = Call("GET", f"{STATEMENTS}/{id}", token)
    found: dict[str, Any] = await client.send_until_done(read, arrived=lambda one: one["state"] in states)
    return found


@app.callback()
def figures() -> None:
    """A programme's indicators, and what was published of them."""


@app.command("statements", epilog="Example: sankofa figures statements trqn-1 > statements.json")
def statements(code: CodeArgument, url: UrlOption = None) -> None:
    """Prints every statement of the programme, as it was signed."""
    settings = read_settings(url=url)
    print(json.dumps({"items": asyncio.run(_every(settings, code))}, indent=1, ensure_ascii=False))


@app.command("facts", epilog="Example: sankofa figures facts trqn-1 1 > facts.json")
def facts(code: CodeArgument, number: Annotated[int, typer.Argument(min=1)], url: UrlOption = None) -> None:
    """Prints the facts that a statement was counted from, with the definition that they were counted by."""
    settings = read_settings(url=url)
    asyncio.run(_facts(settings, code, number))


@app.command("verify", epilog="Example: sankofa figures verify statements.json --keys published-keys.json")
def verify(file: FileArgument, keys: KeysOption = None, facts: FactsOption = None) -> None:
    """Exit 0 where every statement is as it was signed, follows the one before it, and none is missing."""
    found = read_object(file)
    signed = found["items"] if isinstance(found.get("items"), list) else [found]
    public = read_object(keys) if keys else keys_of(read_settings(), SIGNING_KEY).receipt_public_keys(SERVICE)
    try:
        wrong = [*wrong_in(signed, public), *([] if facts is None else _recounted(signed, facts))]
    except (KeyError, TypeError, ValidationError):
        raise SettingsError(f"{file} holds no statements") from None
    for line in wrong:
        print(line)
    if wrong:
        raise typer.Exit(1)
    print(f"{len(signed)} signed by this system" + (", counted anew to the same figures" if facts else ""))


def wrong_in(signed: Sequence[Mapping[str, Any]], public: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the statements, a line each. KeyError and TypeError for what is none."""
    before: Mapping[str, Any] | None = None
    for one in signed:
        statement = one["statement"]
        data, number = canonical_json(statement), statement["number"]
        if hashlib.sha256(data).hexdigest() != one["digest"]:
            yield f"statement {number} is not what its digest says"
        if not verify_receipt(public, one["key_id"], data, one["signature"]):
            yield f"statement {number} was not signed by this system, or changed since"
        follows = (1, None) if before is None else (before["statement"]["number"] + 1, before["digest"])
        alone = before is None and len(signed) == 1
        if not alone and (number, statement.get("previous")) != follows:
            yield f"statement {number} does not follow the one before it: one is missing, or was changed"
        before = one


def _recounted(signed: Sequence[Mapping[str, Any]], file: Path) -> Iterator[str]:
    """What comes out otherwise, of the statement that was counted from these facts. SettingsError for a file that holds
    none of any statement."""
    # The read model's library takes a while to import, and whoever checks signatures alone needs none of it.
    from services.monitoring.counting import digest_of
    from services.monitoring.recounting import recounted

    try:
        first, *lines = file.read_text().splitlines()
        definition, told = Definition.model_validate_json(first), [tuple(json.loads(line)) for line in lines]
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} holds no facts ({type(error).__name__})") from None
    digest, statements = digest_of(told), [Statement.model_validate(one["statement"]) for one in signed]
    counted = [one for one in statements if one.facts == digest and one.programme == definition.code]
    if not counted:
        yield "none of the statements was counted from these facts"
    for statement in counted:
        for found in recounted(statement, definition, told):
            place = ", ".join([statement.period, found.indicator, *found.classes])
            yield f"{place}: stated {found.stated}, counted {found.recounted}"


async def _every(settings: Settings, code: str) -> list[dict[str, Any]]:
    token, client = operators_token(settings, "figures"), Client(settings.base_url)
    found: list[dict[str, Any]] = []
    path = f"/monitoring/v1/programmes/{quote(code)}/statements?limit=50"
    try:
        after = ""
        while True:
            page = await _read(client, Call("GET", f"{path}{after}", token))
            found += page.json()["items"]
            if page.json()["next"] is None:
                return found
            after = f"&after={page.json()['next']}"
    finally:
        await client.close()


async def _facts(settings: Settings, code: str, number: int) -> None:
    token, client = operators_token(settings, "figures"), Client(settings.base_url)
    path = f"/monitoring/v1/programmes/{quote(code)}/statements/{number}/facts"
    try:
        sys.stdout.write((await _read(client, Call("GET", path, token))).text)
    finally:
        await client.close()


async def _read(client: Client, call: Call) -> httpx.Response:
    answer = await client.send(call)
    if not answer.is_success:
        raise SettingsError(reason_of(answer))
    return answer
