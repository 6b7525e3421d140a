"""The store port on MongoDB: one document an aggregate, one atomic write a command.

With `mongodb_client` the only place that imports the driver. Saves filter by `_id` and version. Neither
`find_one_and_update` nor `hint` is used: with either, some servers of the protocol read the whole collection. No hint
is needed, since of the declared indexes only the one that is asked for begins with the field of the equality.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from bson.errors import BSONError
from pymongo import IndexModel
from pymongo.errors import BulkWriteError, PyMongoError

from shared.clock import Runtime, text_of
from shared.errors import Conflict, SettingsError, Unavailable, UnknownOutcome
from shared.store import building
from shared.store import mongodb_client as driver_of
from shared.store.building import Entries, behind, changed_entries
from shared.store.collection import Collection
from shared.store.documents import Declared
from shared.store.mongodb_client import CODEC, DUPLICATE_KEY, UNIQUE_INDEX, Driver, settled
from shared.store.port import OUTBOX_INDEX, Appended, Document, beginning_with
from shared.telemetry.observability import logger

SCAN_BATCH = 500
# Which indexes have the entries of every document, by collection: {index: version}.
BUILT = "built_indexes"
Keys = list[tuple[str, int]]


def index_name(index: str) -> str:
    """The database's name of a declared index."""
    return f"ix_{index}"


def declared_indexes(collection: Collection) -> dict[str, tuple[Keys, bool]]:
    """By the database's name: the keys and whether it is unique. All are sparse."""
    found: dict[str, tuple[Keys, bool]] = {
        index_name(name): ([(f"ix.{name}.e", 1), (f"ix.{name}.o", 1)], False) for name in collection.all_indexes
    }
    if collection.unique:
        found[UNIQUE_INDEX] = ([(UNIQUE_INDEX, 1)], True)
    return found


class MongoStore:
    """`url` may carry the driver's options, which win over ours; `driver` is motor or its successor, PyMongo."""

    def __init__(
        self,
        url: str,
        database: str,
        collections: Sequence[Collection],
        runtime: Runtime,
        *,
        driver: Driver = "motor",
    ) -> None:
        self._url = url
        self._name = database
        self._declared = Declared(collections)
        self._runtime = runtime
        self._driver: Driver = driver
        self._client: Any = None
        self._database: Any = None
        self._effective: dict[str, str] = {}

    async def start(self) -> None:
        """Connects and creates missing indexes with the entries of the documents that stand.

        Raises Unavailable where nobody answers, SettingsError where it is unsafe.
        """
        if self._client is not None:
            return
        client = driver_of.connect(self._url, self._driver)
        try:
            await self._prepare(client)
        except PyMongoError as error:
            await settled(client.close())
            raise driver_of.start_error(error) from error
        except BaseException:
            await settled(client.close())
            raise
        self._client = client

    async def _prepare(self, client: Any) -> None:
        self._database = client.get_database(self._name, codec_options=CODEC)
        hello = await self._database.command("hello", codec_options=CODEC)
        settings = driver_of.client_settings(client)
        driver_of.refuse_unsafe(settings, len(hello.get("hosts", ())))
        info = await self._database.command("buildInfo")
        self._effective = {
            "server": str(info.get("version")),
            "replicaSet": hello.get("setName", "none"),
            "members": str(len(hello.get("hosts", ()))),
            **settings,
        }
        for collection in self._declared.collections.values():
            await self._create_indexes(collection)
            await self._build_entries(collection)

    async def _build_entries(self, collection: Collection) -> None:
        """The entries of indexes that this database has not seen in this version, for the documents that stand."""
        marks, mine = self._database[BUILT], {"_id": collection.name}
        mark = await marks.find_one(mine)
        missing = behind(collection, mark["built"] if mark else {})
        if not missing:
            return
        written, changes = 0, list[Document]()
        cursor = self._database[collection.name].find({}, batch_size=SCAN_BATCH)
        try:
            async for document in cursor:
                if changed_entries(collection, document, missing):
                    changes.append(document)
                    written += 1
                if len(changes) >= building.BATCH:
                    await self._rewrite(collection, changes, missing)
                    changes = []
            await self._rewrite(collection, changes, missing)
        finally:
            await settled(cursor.close())
        await marks.update_one(mine, {"$set": {f"built.{name}": at for name, at in missing.items()}}, upsert=True)
        if written:
            logger.info("entries_built", collection=collection.name, count=written)

    async def _rewrite(self, collection: Collection, documents: list[Document], names: Iterable[str]) -> None:
        """Each under its version, which stays; one that was saved meanwhile is loaded and looked at again."""
        target = self._database[collection.name]
        for document in documents:
            found: Document | None = document
            while found is not None and (entries := changed_entries(collection, found, names)):
                at = {"_id": found["_id"], "version": found["version"]}
                if (await target.update_one(at, _entries_change(entries))).matched_count:
                    break
                found = await target.find_one({"_id": found["_id"]})

    async def _create_indexes(self, collection: Collection) -> None:
        present = await self._database[collection.name].index_information()
        missing = []
        for name, (keys, unique) in declared_indexes(collection).items():
            if name not in present:
                missing.append(IndexModel(keys, name=name, unique=unique, sparse=True))
            elif [tuple(key) for key in present[name]["key"]] != keys or bool(present[name].get("unique")) != unique:
                raise SettingsError(f"index {name} of {collection.name} is not as declared")
        if missing:
            await self._database[collection.name].create_indexes(missing)

    async def stop(self) -> None:
        client, self._client, self._database = self._client, None, None
        if client is not None:
            await settled(client.close())

    def _of(self, collection: str) -> Any:
        self._declared.collection(collection)
        if self._client is None:
            raise Unavailable("the store is closed")
        return self._database[collection]

    async def load(self, collection: str, id: str) -> Document | None:
        try:
            document: Document | None = await self._of(collection).find_one({"_id": id})
        except (PyMongoError, BSONError) as error:
            raise driver_of.read_error(error) from error
        return document

    async def save(self, collection: str, document: Document, expected_version: int) -> None:
        stored = self._declared.storable(collection, document, expected_version)
        target = self._of(collection)
        try:
            if expected_version == 0:
                await target.insert_one(stored)
                return
            result = await target.replace_one({"_id": stored["_id"], "version": expected_version}, stored)
        except (PyMongoError, BSONError) as error:
            # The server's message quotes keys, so the driver's error is not kept as the cause.
            raise driver_of.write_error(error) from None
        if result.matched_count == 0:
            raise Conflict

    async def append(self, collection: str, documents: Sequence[Document]) -> list[Appended]:
        stored = [self._declared.storable(collection, document, 0) for document in documents]
        answers: list[Appended] = ["written"] * len(stored)
        if not stored:
            return answers
        try:
            await self._of(collection).insert_many(stored, ordered=False)
        except BulkWriteError as error:
            for place in _existing(error):
                answers[place] = "existed"
        except (PyMongoError, BSONError) as error:
            raise driver_of.write_error(error) from None
        return answers

    async def sent(self, collection: str, id: str, version: int) -> bool:
        change = {"$set": {"outbox": [], "pending": False}, "$unset": {f"ix.{OUTBOX_INDEX}": ""}}
        try:
            result = await self._of(collection).update_one({"_id": id, "version": version}, change)
        except (PyMongoError, BSONError) as error:
            raise driver_of.write_error(error) from None
        return bool(result.matched_count)

    async def find(
        self,
        collection: str,
        index: str,
        equals: str,
        *,
        after: str | None = None,
        until: str | None = None,
        limit: int = 100,
        descending: bool = False,
    ) -> list[Document]:
        self._declared.index(collection, index)
        if limit <= 0:
            # The driver reads 0 as no limit.
            return []
        bounds = {"$gt": after or ""} | ({} if until is None else {"$lt": until})
        order, way = f"ix.{index}.o", -1 if descending else 1
        cursor = self._of(collection).find({f"ix.{index}.e": equals, order: bounds}, sort=[(order, way)], limit=limit)
        try:
            documents: list[Document] = await cursor.to_list(limit)
        except (PyMongoError, BSONError) as error:
            raise driver_of.read_error(error) from error
        return documents

    async def holding(self, collections: Sequence[str], index: str, equals: str, *, until: str) -> list[str]:
        """All of them: to ask each whether it has some takes as long as to ask which."""
        for name in collections:
            self._declared.index(name, index)
        return list(collections)

    async def count(self, collection: str, index: str, equals: str, *, at_most: int | None = None) -> int:
        self._declared.index(collection, index)
        try:
            bound = {} if at_most is None else {"limit": at_most}
            found = self._of(collection).count_documents({f"ix.{index}.e": equals}, **bound)
            return int(await found)
        except (PyMongoError, BSONError) as error:
            raise driver_of.read_error(error) from error

    async def beginning(self, collection: str, reference: str, *, limit: int = 100) -> list[Document]:
        first, last = beginning_with(reference)
        if limit <= 0:
            return []
        cursor = self._of(collection).find({"_id": {"$gte": first, "$lte": last}}, sort=[("_id", 1)], limit=limit)
        try:
            documents: list[Document] = await cursor.to_list(limit)
        except (PyMongoError, BSONError) as error:
            raise driver_of.read_error(error) from error
        return documents

    async def scan(self, collection: str) -> AsyncIterator[Document]:
        cursor = self._of(collection).find({}, batch_size=SCAN_BATCH)
        try:
            async for document in cursor:
                yield document
        except (PyMongoError, BSONError) as error:
            raise driver_of.read_error(error) from error
        finally:
            await settled(cursor.close())

    async def truncate(self) -> None:
        """Nothing is embedded here: what the server's files keep of older values is the server's to say."""

    async def clock(self) -> str:
        """The server's time, to the millisecond."""
        if self._client is None:
            raise Unavailable("the store is closed")
        try:
            hello = await self._database.command("hello", codec_options=CODEC)
        except PyMongoError as error:
            raise driver_of.read_error(error) from error
        return text_of(hello["localTime"])

    async def settings(self) -> dict[str, str]:
        """Effective settings of the client, the server's version, declared indexes, and those that nobody declared."""
        found = {"adapter": "mongodb", "driver": self._driver, **self._effective}
        undeclared = []
        for name, collection in self._declared.collections.items():
            try:
                present = set(await self._of(name).index_information())
            except PyMongoError as error:
                raise driver_of.read_error(error) from error
            found[f"indexes of {name}"] = ", ".join(sorted(collection.all_indexes))
            undeclared += [f"{name}.{extra}" for extra in present - {"_id_"} - set(declared_indexes(collection))]
        return {**found, "undeclared indexes": ", ".join(sorted(undeclared)) or "none"}


def _entries_change(entries: Entries) -> dict[str, dict[str, Any]]:
    written = {f"ix.{name}": entry for name, entry in entries.items() if entry is not None}
    dropped = {f"ix.{name}": "" for name, entry in entries.items() if entry is None}
    return {operator: change for operator, change in (("$set", written), ("$unset", dropped)) if change}


def _existing(error: BulkWriteError) -> list[int]:
    """The places whose document existed. Raises UnknownOutcome where anything else went wrong."""
    failures = error.details.get("writeErrors", [])
    others = [f for f in failures if f.get("code") != DUPLICATE_KEY or not isinstance(driver_of.duplicate(f), Conflict)]
    if others or error.details.get("writeConcernErrors"):
        raise UnknownOutcome("the batch met an error beside documents that existed") from None
    return [int(f["index"]) for f in failures]
