"""The environment as a frozen model: the one place that reads it for the command line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import SettingsError
from shared.web.origin import declared_proxies
from shared.web.patience import Patience

Driver = Literal["motor", "pymongo"]
DEFAULT_PORT = 8000
DEFAULT_DATA = "data"
# Of mail that no server takes.
DEFAULT_SENDER = "no-reply@localhost"


class Settings(BaseModel):
    """Where the system's folders are and where it listens; `.env.example` names the variables."""

    model_config = ConfigDict(frozen=True)

    data: Path
    keys: Path
    port: int = DEFAULT_PORT
    base_url: str
    issuer: str | None = None
    token_file: str | None = None
    token: str | None = Field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = Field(default=None, repr=False)
    sign_in_url: str | None = None
    pages_client_id: str | None = None
    pages_client_secret: str | None = Field(default=None, repr=False)
    mail: str | None = None
    mail_from: str = DEFAULT_SENDER
    mail_user: str | None = None
    mail_password: str | None = Field(default=None, repr=False)
    kafka: str | None = None
    mongodb: str | None = None
    mongo_driver: Driver = "motor"
    connections: int = Patience.connections
    proxies: tuple[str, ...] = ()
    readings_an_hour: int = 60
    readings_a_day: int = 300
    webhooks_local: bool = False


def read_settings(
    environment: Mapping[str, str] = os.environ,
    *,
    data: Path | None = None,
    port: int | None = None,
    url: str | None = None,
) -> Settings:
    """Options win over the environment, the environment over the defaults.

    The keys' folder stands beside the data folder, never inside: a backup of data holds no key. SettingsError for one
    that stands inside.
    """
    folder = (data or Path(environment.get("SANKOFA_DATA") or DEFAULT_DATA)).absolute()
    given = environment.get("SANKOFA_KEYS")
    keys = Path(given).absolute() if given else folder.with_name(f"{folder.name}-keys")
    if keys.resolve().is_relative_to(folder.resolve()):
        raise SettingsError("SANKOFA_KEYS is inside the data folder: a copy of the data would hold the keys to it")
    return Settings(
        data=folder,
        keys=keys,
        port=port or DEFAULT_PORT,
        base_url=(url or environment.get("SANKOFA_BASE_URL") or f"http://127.0.0.1:{port or DEFAULT_PORT}").rstrip("/"),
        **_issuing(environment),
        **_mail(environment, folder),
        kafka=environment.get("KAFKA_BOOTSTRAP_SERVERS") or None,
        mongodb=environment.get("MONGODB_URL") or None,
        connections=_number("SANKOFA_CONNECTIONS", environment, Patience.connections),
        proxies=declared_proxies(environment.get("SANKOFA_PROXY") or ""),
        readings_an_hour=_number("SANKOFA_READINGS_AN_HOUR", environment, 60),
        readings_a_day=_number("SANKOFA_READINGS_A_DAY", environment, 300),
        webhooks_local=environment.get("SANKOFA_WEBHOOKS_LOCAL") == "yes",
        mongo_driver=_driver(environment.get("SANKOFA_MONGO_DRIVER") or "motor"),
    )


def _issuing(environment: Mapping[str, str]) -> dict[str, str | None]:
    pages_client = environment.get("SANKOFA_PAGES_CLIENT_ID") or None
    return {
        "issuer": environment.get("SANKOFA_ISSUER") or None,
        "token_file": environment.get("SANKOFA_TOKEN_FILE") or None,
        "token": environment.get("SANKOFA_TOKEN") or None,
        "client_id": environment.get("SANKOFA_CLIENT_ID") or None,
        "client_secret": environment.get("SANKOFA_CLIENT_SECRET") or None,
        "sign_in_url": environment.get("SANKOFA_SIGN_IN_URL") or None,
        # One client may be both; a secret is never another one's.
        "pages_client_id": pages_client or environment.get("SANKOFA_CLIENT_ID") or None,
        "pages_client_secret": environment.get(f"SANKOFA_{'PAGES_' if pages_client else ''}CLIENT_SECRET") or None,
    }


def _mail(environment: Mapping[str, str], data: Path) -> dict[str, str | None]:
    return {
        "mail": environment.get("SANKOFA_MAIL") or str(data.with_name(f"{data.name}-mail")),
        "mail_from": environment.get("SANKOFA_MAIL_FROM") or DEFAULT_SENDER,
        "mail_user": environment.get("SANKOFA_MAIL_USER") or None,
        "mail_password": environment.get("SANKOFA_MAIL_PASSWORD") or None,
    }


def _number(name: str, environment: Mapping[str, str], otherwise: int) -> int:
    text = environment.get(name)
    if not text:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text)):
        raise SettingsError(f"{name} is a whole number above 0, such as {otherwise}")
    return int(text)


def _driver(name: str) -> Driver:
    for known in get_args(Driver):
        if name == known:
            driver: Driver = known
            return driver
    raise SettingsError(f"SANKOFA_MONGO_DRIVER is one of {', '.join(get_args(Driver))}")
