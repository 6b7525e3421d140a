"""Whom the command line asks as: somebody with a token of the installation's issuer, or of the development issuer."""

from __future__ import annotations

import re
import sys
from functools import cache, partial
from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.keyring import keys_of
from deploy.cli.settings import Settings, read_settings
from deploy.cli.signing import LIFETIME, Issued, SigningIn
from shared.clock import RealRuntime
from shared.errors import SettingsError
from shared.identity.issuers import DevelopmentIssuer
from shared.identity.roles import ROLES

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
    """The token that the operator gave, else the client's own, else one of the development issuer for an administrator
    of that name.

    SettingsError where none was given and no issuer gives one.
    """
    if settings.token_file:
        return _given(settings.token_file)
    if settings.token:
        return _checked(settings.token, "SANKOFA_TOKEN")
    if signs_in(settings):
        return SigningIn(settings).own()
    if settings.issuer:
        ways = "SANKOFA_CLIENT_ID and SANKOFA_CLIENT_SECRET, SANKOFA_TOKEN, or SANKOFA_TOKEN_FILE"
        raise SettingsError(f"SANKOFA_ISSUER is set: say who asks by {ways}")
    return issuer_of(settings).issue("administrator", None, subject, LIFETIME)


def issued_of(settings: Settings) -> Issued:
    """Tokens of one person after the other, by role, office and subject.

    SettingsError where no issuer gives them: a token of one person is nobody else's.
    """
    if signs_in(settings):
        return SigningIn(settings).of
    if settings.issuer:
        ways = "SANKOFA_CLIENT_ID and SANKOFA_CLIENT_SECRET of a client that may exchange its token for theirs"
        raise SettingsError(f"a history plays many people: it needs {ways}")
    return cache(partial(issuer_of(settings).issue, lifetime=LIFETIME))


def signs_in(settings: Settings) -> bool:
    """Whether the command line is a client of an issuer."""
    return bool(settings.client_id or settings.client_secret) and bool(settings.issuer or settings.sign_in_url)


def _given(name: str) -> str:
    """The token alone in the file, or on standard input. It is never quoted: who reads it is who it says."""
    try:
        text = sys.stdin.read() if name == STANDARD_INPUT else Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"SANKOFA_TOKEN_FILE={name} cannot be read ({type(error).__name__})") from None
    return _checked(text, f"SANKOFA_TOKEN_FILE={name}")


def _checked(text: str, source: str) -> str:
    if not _TOKEN.fullmatch(text.strip()):
        raise SettingsError(f"{source} holds no token")
    return text.strip()


def token(
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")],
    office: Annotated[str | None, typer.Option(help="Code of the office.")] = None,
    subject: Annotated[str, typer.Option(help="Whose account; any text of your own.")] = "developer",
    data: Annotated[Path | None, typer.Option(help="The system's data folder.")] = None,
) -> None:
    """Prints a token, alone on its line: the embedded development issuer's, or what a client's own is exchanged for."""
    known = next((one for one in ROLES if one == role), None)
    if known is None:
        raise SettingsError(f"no such role; there are {', '.join(ROLES)}")
    settings = read_settings(data=data)
    if signs_in(settings):
        print(SigningIn(settings).of(known, office, subject))
    else:
        print(issuer_of(settings).issue(known, office, subject, LIFETIME))
