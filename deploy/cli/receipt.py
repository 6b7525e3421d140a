"""`sankofa receipt verify`: whether a receipt was signed by the system, offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.files import read_object
from deploy.cli.keyring import keys_of
from deploy.cli.settings import read_settings
from shared.errors import SettingsError
from shared.identity.keys import verify_receipt
from shared.intake.receipts import signed_bytes
from shared.services import SERVICES

app = typer.Typer(help="Receipts of what was submitted.", no_args_is_help=True)


@app.callback()
def receipts() -> None:
    """Receipts of what was submitted."""


@app.command("verify", epilog="Example: sankofa receipt verify receipt.json --keys published-keys.json")
def verify(
    file: Annotated[Path, typer.Argument(help="The receipt as JSON.")],
    keys: Annotated[
        Path | None, typer.Option(help="The published keys (`GET /registration/v1/keys`); else the local folder.")
    ] = None,
) -> None:
    """Exit 0 where the signature is right, 1 where it is not."""
    receipt = read_object(file)
    try:
        data, service = signed_bytes(receipt), str(receipt["status_url"]).split("/")[1]
        signature, key_id = str(receipt["signature"]), str(receipt["key_id"])
    except (KeyError, IndexError, TypeError):
        raise SettingsError(f"{file} is not a receipt") from None
    public = read_object(keys) if keys else _local(service)
    if not verify_receipt(public, key_id, data, signature):
        print("not signed by this system, or changed since")
        raise typer.Exit(1)
    print(f"signed by this system: {receipt['kind']} {receipt['subject']}, received {receipt['received_at']}")


def _local(service: str) -> dict[str, list[dict[str, Any]]]:
    if service not in SERVICES:
        return {"keys": []}
    return keys_of(read_settings(), f"{service}/receipts/current.key").receipt_public_keys(service)
