"""Ports that note what is asked of them, task by task, so that a bare loop can ask the same again."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from deploy.cli.settings import read_settings
from shared.clock import RealRuntime
from shared.messaging.kafka import KafkaLog
from shared.messaging.local import LocalLog
from shared.messaging.port import Batch
from shared.messaging.topics import TOPICS
from shared.store.collection import Collection
from shared.store.local import LocalStore
from shared.store.mongodb import MongoStore
from shared.store.port import Appended, Document

# Of an environment that says nothing but that no mail is sent.
SETTINGS = read_settings({"SANKOFA_MAIL": "off"})


@dataclass(frozen=True, slots=True)
class Call:
    """One call on a port; `document` and `version` for saves (the expected one) and `sent`.

    `began` and `ended`: by one count over all calls, so that a replay makes side by side what was made so.
    """

    kind: str
    collection: str = ""
    id: str = ""
    document: Document | None = None
    version: int = 0
    arguments: tuple[Any, ...] = ()
    began: int = 0
    ended: int = 0


class Calls:
    """Calls by the name of the task that made them, or of the first named one among those that began it; nothing is
    noted while `on` is False."""

    def __init__(self) -> None:
        self._on = False
        self.by_task: dict[str, list[Call]] = defaultdict(list)
        self._began_by: WeakKeyDictionary[asyncio.Task[Any], asyncio.Task[Any] | None] = WeakKeyDictionary()
        self._count = itertools.count(1)

    @property
    def on(self) -> bool:
        return self._on

    @on.setter
    def on(self, on: bool) -> None:
        self._on = on
        asyncio.get_running_loop().set_task_factory(self._begun if on else None)

    def _begun(self, loop: asyncio.AbstractEventLoop, work: Any, **how: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **how)
        self._began_by[task] = asyncio.current_task(loop)
        return task

    def begin(self) -> int:
        """The place of a call that begins now."""
        return next(self._count)

    def note(self, call: Call, began: int | None = None) -> None:
        task = asyncio.current_task()
        if not self.on or task is None:
            return
        while task.get_name().startswith("Task-") and (before := self._began_by.get(task)) is not None:
            task = before
        ended = next(self._count)
        self.by_task[task.get_name()].append(replace(call, began=began or ended, ended=ended))


class Finish:
    """Set when so many saves of one collection and so many emptied outboxes were acknowledged."""

    def __init__(self, collection: str, saves: int, sends: int) -> None:
        self.collection = collection
        self.saves = saves
        self.sends = sends
        self.reached = asyncio.Event()

    def saved(self, collection: str) -> None:
        self.saves -= collection == self.collection
        self._look()

    def sent(self) -> None:
        self.sends -= 1
        self._look()

    def _look(self) -> None:
        if self.saves <= 0 and self.sends <= 0:
            self.reached.set()


class _NotingStore:
    """Before a store's own class: a call is noted when it was answered without an error."""

    calls: Calls
    finish: Finish | None = None

    async def load(self, collection: str, id: str) -> Document | None:
        self.calls.note(Call("load", collection, id))
        return await super().load(collection, id)

    async def save(self, collection: str, document: Document, expected_version: int) -> None:
        began = self.calls.begin()
        await super().save(collection, document, expected_version)
        self.calls.note(Call("save", collection, document["_id"], document, expected_version), began)
        if self.finish:
            self.finish.saved(collection)

    async def append(self, collection: str, documents: Sequence[Document]) -> list[Appended]:
        answers = await super().append(collection, documents)
        for document in documents:
            self.calls.note(Call("append", collection, document["_id"], document))
        return answers

    async def sent(self, collection: str, id: str, version: int) -> bool:
        emptied = await super().sent(collection, id, version)
        self.calls.note(Call("sent", collection, id, version=version))
        if self.finish and emptied:
            self.finish.sent()
        return emptied

    async def find(self, collection: str, index: str, equals: str, **how: Any) -> list[Document]:
        self.calls.note(Call("find", collection, arguments=(index, equals, how)))
        return await super().find(collection, index, equals, **how)


class _NotingLog:
    """Before a log's own class: its appends are noted."""

    calls: Calls

    async def append_in_order(self, batches: Sequence[Batch]) -> None:
        await super().append_in_order(batches)
        self.calls.note(Call("log", arguments=(tuple(batches),)))


class RecordingStore(_NotingStore, LocalStore):
    """The local store itself."""

    def __init__(self, path: Path, collections: Sequence[Collection], runtime: RealRuntime, calls: Calls) -> None:
        LocalStore.__init__(self, path, collections, runtime)
        self.calls = calls


class RecordingMongo(_NotingStore, MongoStore):
    """The store on a MongoDB-protocol server itself."""

    def __init__(
        self, url: str, database: str, collections: Sequence[Collection], runtime: RealRuntime, calls: Calls
    ) -> None:
        MongoStore.__init__(self, url, database, collections, runtime)
        self.calls = calls


class RecordingLog(_NotingLog, LocalLog):
    """The local log itself."""

    def __init__(self, path: Path, runtime: RealRuntime, calls: Calls) -> None:
        LocalLog.__init__(self, path, list(TOPICS.values()), runtime)
        self.calls = calls


class RecordingKafka(_NotingLog, KafkaLog):
    """The log on a Kafka cluster itself."""

    def __init__(self, servers: str, runtime: RealRuntime, calls: Calls) -> None:
        KafkaLog.__init__(self, servers, list(TOPICS.values()), runtime, client_id="bench")
        self.calls = calls


class Adapters(Protocol):
    """Where a run stores and publishes; each run has a number of its own."""

    def store(self, number: int, collections: Sequence[Collection], runtime: RealRuntime, calls: Calls) -> Any: ...

    def log(self, number: int, runtime: RealRuntime, calls: Calls) -> Any: ...


@dataclass(frozen=True)
class OnFile:
    """The local adapters, in a folder a run."""

    folder: Path

    def store(self, number: int, collections: Sequence[Collection], runtime: RealRuntime, calls: Calls) -> Any:
        return RecordingStore(self.folder / str(number) / "store.sqlite", collections, runtime, calls)

    def log(self, number: int, runtime: RealRuntime, calls: Calls) -> Any:
        return RecordingLog(self.folder / str(number) / "log.sqlite", runtime, calls)


@dataclass(frozen=True)
class OnServers:
    """Real servers: a database a run; all runs share the topics, on which nobody reads but the definitions."""

    kafka: str
    mongodb: str

    def store(self, number: int, collections: Sequence[Collection], runtime: RealRuntime, calls: Calls) -> Any:
        return RecordingMongo(self.mongodb, self.database(number), collections, runtime, calls)

    @staticmethod
    def database(number: int) -> str:
        return f"run{number}"

    def log(self, number: int, runtime: RealRuntime, calls: Calls) -> Any:
        return RecordingKafka(self.kafka, runtime, calls)
