"""`sankofa programme lint` and `publish`: definitions of programmes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.client import Call, Client, StepFailed
from deploy.cli.files import findings_of, read_definition, said
from deploy.cli.settings import Settings, read_settings
from deploy.cli.token import operators_token
from shared.clock import short_hash
from shared.programmes.model import Definition

app = typer.Typer(help="Definitions of programmes.", no_args_is_help=True)
PROGRAMMES, NOT_FOUND = "/registration/v1/programmes", 404
FileArgument = Annotated[Path, typer.Argument(help="The definition file.")]


@app.callback()
def programmes() -> None:
    """Definitions of programmes."""


@app.command("lint", epilog="Example: sankofa programme lint deploy/programmes/trqn-1.yaml")
def lint(file: FileArgument) -> None:
    """Prints what is wrong, by line and field; exit 1 where it cannot be published so. Warnings alone keep it from
    nothing."""
    findings = findings_of(file)
    for finding in findings:
        print(said(file, finding))
    if any(not finding.warning for finding in findings):
        raise typer.Exit(1)
    print(f"{file}: {'it can be published, with these warnings' if findings else 'nothing to mend'}")


@app.command("publish", epilog="Example: sankofa programme publish deploy/programmes/trqn-1.yaml")
def publish(
    file: FileArgument,
    url: Annotated[str | None, typer.Option(help="The running system.")] = None,
    data: Annotated[Path | None, typer.Option(help="The system's data folder, for its keys.")] = None,
    base: Annotated[
        int | None, typer.Option(min=0, help="The version that the file was made from; refused where another stands.")
    ] = None,
) -> None:
    """Publishes the definition as the next version. What the newest version says already is no further one."""
    settings = read_settings(url=url, data=data)
    for finding in findings_of(file):
        if finding.warning:
            print(said(file, finding), file=sys.stderr)
    answer, known = asyncio.run(published(read_definition(file), settings, base))
    print(f"{answer['id']}: version {answer['version']}{', as it stands: nothing new' if known else ''}")


async def standing_definition(code: str, settings: Settings) -> dict[str, Any] | None:
    """The newest version of the programme; None where there is none. Raises StepFailed."""
    client = Client(settings.base_url)
    try:
        call = Call("GET", f"{PROGRAMMES}/{code}", operators_token(settings, "publisher"))
        answer = await client.send(call)
    finally:
        await client.close()
    if answer.status_code == NOT_FOUND:
        return None
    if not answer.is_success:
        raise StepFailed(f"{call.path}: {answer.status_code}")
    found: dict[str, Any] = answer.json()["definition"]
    return found


async def published(definition: Definition, settings: Settings, base: int | None = None) -> tuple[dict[str, Any], bool]:
    """The programme as it stands then, and whether it stood so before. `base`: the version that the file was made
    from; None for the one that stands."""
    content = definition.as_json()
    token, path = operators_token(settings, "publisher"), PROGRAMMES
    client = Client(settings.base_url)
    try:
        newest = await client.send(Call("GET", f"{path}/{definition.code}", token))
        stood: dict[str, Any] = newest.json() if newest.is_success else {"version": 0}
        if stood.get("definition") == content:
            return stood, True
        # With the version that it follows: a repeated command is one version, an older one's content a new one.
        key = f"publish-{definition.code}-{stood['version']}-{short_hash(repr(content))}"
        said = {"definition": content, "base_version": stood["version"] if base is None else base}
        answer: dict[str, Any] = await client.send_until_done(Call("POST", path, token, key, said))
        return answer, False
    finally:
        await client.close()
