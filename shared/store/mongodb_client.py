"""The driver: which one, how it is set, and what its errors mean above the port."""

from __future__ import annotations

import asyncio
import inspect
import re
import warnings
from collections.abc import Awaitable, Mapping
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit

from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from bson.int64 import Int64
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    DuplicateKeyError,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)

from shared.errors import Conflict, PortError, SettingsError, Unavailable, UniqueViolated, UnknownOutcome
from shared.store.documents import NotStorable

T = TypeVar("T")
Driver = Literal["motor", "pymongo"]

DUPLICATE_KEY = 11000
UNIQUE_INDEX = "uq"
# The server refused these before it did anything: not authorised, not authenticated, disk full.
NOTHING_DONE = {13, 18, 14031}
# What the URL does not say itself.
DEFAULTS: Mapping[str, Any] = {
    "appname": "sankofa",
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
    "retryWrites": True,
    "serverSelectionTimeoutMS": 3_000,
    "connectTimeoutMS": 3_000,
    "socketTimeoutMS": 10_000,
    "wTimeoutMS": 8_000,
    "waitQueueTimeoutMS": 5_000,
    "maxPoolSize": 50,
}


class _PlainInteger(TypeDecoder):
    """Integers come back as `int`, also where BSON has them in 64 bits."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


CODEC: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True, type_registry=TypeRegistry([_PlainInteger()]))


async def settled(answer: Awaitable[T] | T) -> T:
    """The answer, awaited where the driver gives an awaitable: the two drivers differ in which calls do."""
    if inspect.isawaitable(answer):
        result: T = await answer
        return result
    return answer


def connect(url: str, driver: Driver) -> Any:
    """A client of that driver, not yet connected; SettingsError for a URL it cannot read."""
    try:
        given = {name.lower() for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
        options = {name: value for name, value in DEFAULTS.items() if name.lower() not in given}
        with warnings.catch_warnings():
            # The driver only warns of an option that it cannot read, and goes on without it: `tls=yes` is no TLS.
            warnings.simplefilter("error", UserWarning)
            return _client(url, driver, options)
    except (InvalidURI, ConfigurationError, ValueError, TypeError, UserWarning) as error:
        # The URL may hold a password, so neither it nor the driver's message is repeated.
        raise SettingsError(f"MONGODB_URL cannot be used ({type(error).__name__})") from None


def _client(url: str, driver: Driver, options: Mapping[str, Any]) -> Any:
    if driver == "motor":
        from motor.motor_asyncio import AsyncIOMotorClient

        return AsyncIOMotorClient(url, io_loop=asyncio.get_running_loop(), **options)
    from pymongo import AsyncMongoClient

    return AsyncMongoClient(url, **options)


def client_settings(client: Any) -> dict[str, str]:
    """The client's effective settings by the names that a URL gives them."""
    core = vars(client).get("delegate", client)
    write, read, pool = core.write_concern.document, core.read_concern.document, core.options.pool_options
    return {
        "w": str(write.get("w", "server's default")),
        "journal": str(write.get("j", False)).lower(),
        "readConcernLevel": str(read.get("level", "server's default")),
        "readPreference": str(core.read_preference.mongos_mode),
        "retryWrites": str(core.options.retry_writes).lower(),
        "serverSelectionTimeoutMS": str(int(core.options.server_selection_timeout * 1000)),
        "socketTimeoutMS": str(int((pool.socket_timeout or 0) * 1000)),
        "maxPoolSize": str(pool.max_pool_size),
    }


def refuse_unsafe(settings: Mapping[str, str], members: int) -> None:
    """Raises SettingsError for settings under which an acknowledged write could be lost or a read be stale."""
    counted = settings["w"].isdecimal() and settings["w"] != "0"
    if settings["journal"] != "true" or not (counted or settings["w"] == "majority"):
        raise SettingsError("MONGODB_URL: writes must be acknowledged from the journal (journal=true, w=majority)")
    if settings["readPreference"] != "primary":
        raise SettingsError("MONGODB_URL: reads must go to the primary (readPreference=primary)")
    if members > 1 and (settings["w"], settings["readConcernLevel"]) != ("majority", "majority"):
        # One member alone cannot roll back, so a server for tests may say w=1.
        raise SettingsError("MONGODB_URL: a replica set needs w=majority and readConcernLevel=majority")


def start_error(error: PyMongoError) -> PortError | SettingsError:
    """What a failed start means: not reachable now, or set so that it can never be used."""
    if isinstance(error, OperationFailure) and error.code != DUPLICATE_KEY:
        return SettingsError(f"the MongoDB server refused the start (code {error.code})")
    if isinstance(error, ConfigurationError):
        return SettingsError("MONGODB_URL does not fit the server (ConfigurationError)")
    return read_error(error)


def read_error(error: PyMongoError | BSONError) -> Unavailable:
    """A read that failed changed nothing, whatever the reason."""
    return Unavailable(f"the store cannot be read ({_name(error)})")


def write_error(error: PyMongoError | BSONError) -> PortError | NotStorable:
    """What a failed write means; where nothing proves that nothing was done, the outcome is unknown."""
    if isinstance(error, DuplicateKeyError):
        return duplicate(error.details or {})
    if isinstance(error, BSONError) or type(error).__name__ == "DocumentTooLarge":
        return NotStorable("too_large_or_not_bson")
    if isinstance(error, ServerSelectionTimeoutError | WaitQueueTimeoutError):
        return Unavailable(f"the store cannot be reached ({_name(error)})")
    if isinstance(error, OperationFailure) and not isinstance(error, BulkWriteError) and error.code in NOTHING_DONE:
        return Unavailable(f"the store refused the write ({_name(error)})")
    return UnknownOutcome(f"the write may have happened ({_name(error)})")


def duplicate(details: Mapping[str, Any]) -> PortError:
    """Which key a duplicate is of: the document itself, a unique key, or an index that nobody declared."""
    pattern = details.get("keyPattern") or {}
    named = re.search(r"index: (\S+)", str(details.get("errmsg", "")))
    index = next(iter(pattern), "") or (named[1] if named else "")
    if index.startswith("_id"):
        return Conflict()
    if index == UNIQUE_INDEX:
        return UniqueViolated(str((details.get("keyValue") or {}).get(UNIQUE_INDEX, "")))
    return Unavailable("an undeclared unique index refused the write")


def _name(error: Exception) -> str:
    code = getattr(error, "code", None)
    return type(error).__name__ if code is None else f"{type(error).__name__} {code}"
