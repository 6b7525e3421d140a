"""`sankofa token`: a token of the embedded development issuer."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.keyring import keys_of
from deploy.cli.settings import Settings, read_settings
from shared.clock import RealRuntime
from shared.errors import SettingsError
from shared.identity.issuers import DevelopmentIssuer
from shared.identity.tokens import ROLES

LIFETIME = timedelta(hours=12)


def issuer_of(settings: Settings) -> DevelopmentIssuer:
    """The development issuer of the system whose folders these are.

    SettingsError where a real one is configured, or where no system has been started with these folders.
    """
    if settings.issuer:
        raise SettingsError("a real issuer is configured (SANKOFA_ISSUER); its tokens alone are accepted")
    return DevelopmentIssuer(keys_of(settings, "issuer/current.key"), RealRuntime())


def token(
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")],
    office: Annotated[str | None, typer.Option(help="Code of the office.")] = None,
    subject: Annotated[str, typer.Option(help="Whose account; any text of your own.")] = "developer",
    data: Annotated[Path | None, typer.Option(help="The system's data folder.")] = None,
) -> None:
    """Prints a token of the embedded development issuer, alone on its line."""
    if role not in ROLES:
        raise SettingsError(f"no such role; there are {', '.join(ROLES)}")
    print(issuer_of(read_settings(data=data)).issue(role, office, subject, LIFETIME))
