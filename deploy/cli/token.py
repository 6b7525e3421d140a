"""Whom the command line asks as: somebody with a token of the installation's issuer, or of the development issuer."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.keyring import keys_of
from deploy.cli.settings import Settings, read_settings
from shared.clock import RealRuntime
from shared.errors import SettingsError
from shared.identity.issuers import DevelopmentIssuer
from shared.identity.roles import ROLES

LIFETIME = timedelta(hours=12)
STANDARD_INPUT = "-"
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


def issuer_of(settings: Settings) -> DevelopmentIssuer:
    """The development issuer of the system whose folders these are.

    SettingsError where a real one is configured, or where no system has been started with these folders.
    """
    if settings.issuer:
        raise SettingsError("a real issuer is configured (SANKOFA_ISSUER); its tokens alone are accepted")
    return DevelopmentIssuer(keys_of(settings, "issuer/current.key"), RealRuntime())


def operators_token(settings: Settings, subject: str) -> str:
    """The token that the operator gave, else one of the development issuer for an administrator of that name.

    SettingsError where none was given and the development issuer gives none.
    """
    if settings.token_file:
        return _given(settings.token_file)
    if settings.issuer:
        raise SettingsError("SANKOFA_ISSUER is set: SANKOFA_TOKEN_FILE has to name a file with a token of its (or -)")
    return issuer_of(settings).issue("administrator", None, subject, LIFETIME)


def _given(name: str) -> str:
    """The token alone in the file, or on standard input. It is never quoted: who reads it is who it says."""
    try:
        text = sys.stdin.read() if name == STANDARD_INPUT else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"SANKOFA_TOKEN_FILE={name} cannot be read ({type(error).__name__})") from None
    if not _TOKEN.fullmatch(text.strip()):
        raise SettingsError(f"SANKOFA_TOKEN_FILE={name} holds no token")
    return text.strip()


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
