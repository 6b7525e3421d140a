"""`sankofa programme lint` and `publish`: definitions of programmes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.client import Call, Client
from deploy.cli.files import findings_of, read_definition, said
from deploy.cli.settings import Settings, read_settings
from deploy.cli.token import operators_token
from shared.clock import short_hash
from shared.programmes.model import Definition

app = typer.Typer(help="Definitions of programmes.", no_args_is_help=True)
FileArgument = Annotated[Path, typer.Argument(help="The definition file.")]


@app.callback()
def programmes() -> None:
    """Definitions of programmes."""


@app.command("lint", epilog="Example: sankofa programme lint deploy/programmes/trqn-1.yaml")
def lint(file: FileArgument) -> None:
    """Prints what is wrong, by line and field; exit 1 where something is."""
    findings = findings_of(file)
    for finding in findings:
        print(said(file, finding))
    if findings:
        raise typer.Exit(1)
    print(f"{file}: nothing to mend")


@app.command("publish", epilog="Example: sankofa programme publish deploy/programmes/trqn-1.yaml")
def publish(
    file: FileArgument,
    url: Annotated[str | None, typer.Option(help="The running system.")] = None,
    data: Annotated[Path | None, typer.Option(help="The system's data folder, for its keys.")] = None,
) -> None:
    """Publishes the definition as the next version. The same content twice is one version."""
    answer = asyncio.run(_published(read_definition(file), read_settings(url=url, data=data)))
    print(f"{answer['id']}: version {answer['version']}")


async def _published(definition: Definition, settings: Settings) -> dict[str, Any]:
    content = definition.as_json()
    token = operators_token(settings, "publisher")
    # The key follows from the content, so that a repeated command is not another version.
    key = f"publish-{definition.code}-{short_hash(repr(content))}"
    client = Client(settings.base_url)
    try:
        call = Call("POST", "/registration/v1/programmes", token, key, {"definition": content})
        answer: dict[str, Any] = await client.send_until_done(call)
        return answer
    finally:
        await client.close()
