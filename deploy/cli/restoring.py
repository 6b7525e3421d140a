"""`sankofa restore`: a backup of the embedded form as a new data folder, in a new epoch."""

from __future__ import annotations

import asyncio
import importlib
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.backup import FORMAT, MANIFEST, described, new_folder, refuse_servers, sync
from deploy.cli.hosting import LOG_FILE
from deploy.cli.settings import read_settings
from shared.clock import RealRuntime
from shared.errors import SettingsError
from shared.messaging.local import LocalLog
from shared.messaging.port import Position, Record
from shared.messaging.reading import parse
from shared.messaging.topics import TOPICS
from shared.replica import EPOCH_ID, META, stored
from shared.services import SERVICES
from shared.store.local import LocalStore

MINUTE_SECONDS = 60
Published = dict[str, list[str]]


def restore(
    data: Annotated[Path, typer.Option("--data", help="The new data folder.")],
    source: Annotated[Path, typer.Option("--from", help="The folder of the backup.")],
    since: Annotated[
        Path | None, typer.Option("--since", help="The old data folder: lists what it had published since the backup.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The list as JSON.")] = False,
) -> None:
    """Makes a new data folder of a backup; start it with the keys that the old system had (SANKOFA_KEYS).

    What was acknowledged after the backup is not in it. Where the old folder's log can still be read, `--since` lists
    by subject what stands there beyond the backup, for a person who puts it in again; the old system must be stopped.
    """
    settings = read_settings(data=data)
    refuse_servers(settings)
    manifest = checked(source)
    published = asyncio.run(restored(source, settings.data, manifest, since))
    if as_json:
        print(json.dumps(published, indent=2, sort_keys=True))
        return
    print(f"{settings.data}: as of {manifest['made_at']}")
    for subject, names in sorted(published.items()):
        print(f"published since: {subject}: {', '.join(names)}")


def checked(source: Path) -> dict[str, Any]:
    """The manifest of a whole backup. SettingsError where something is missing or is not what was written."""
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            raise SettingsError(f"{source} is a backup of another format")
        for name, expected in manifest["files"].items():
            if described(source / name) != expected:
                raise SettingsError(f"{source / name} is not what was backed up")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{source} is no whole backup ({type(error).__name__})") from error
    return manifest


async def restored(source: Path, data: Path, manifest: Mapping[str, Any], since: Path | None) -> Published:
    """Copies, raises the epochs, and gives the folder its name last: one that was cut off leaves no data folder."""
    draft = data.with_name(f"{data.name}.restoring")
    shutil.rmtree(draft, ignore_errors=True)
    new_folder(data)
    new_folder(draft)
    runtime = RealRuntime()
    try:
        for name in manifest["files"]:
            shutil.copyfile(source / name, draft / name)
            (draft / name).chmod(0o600)
        # Before anything else: an old system that still runs would go on publishing in the old epoch.
        published = await _published_since(draft, since, runtime) if since else {}
        for service in SERVICES:
            await _raise_epoch(draft, service, runtime)
        for name in manifest["files"]:
            sync(draft / name)
        draft.rename(data)
    except OSError as error:
        raise SettingsError(f"the folder {data} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        runtime.close()
    return published


async def _raise_epoch(folder: Path, service: str, runtime: RealRuntime) -> None:
    """The next events are others than those that were lost, also to whoever has read them.

    Minutes since 1970 where that is more: a second restore of one backup begins another epoch than the first.
    """
    declared = importlib.import_module(f"services.{service}.store")
    store = LocalStore(folder / f"{service}.sqlite", stored(declared.COLLECTIONS, declared.SHADOWS), runtime)
    await store.start()
    try:
        meta = await store.load(META.name, EPOCH_ID) or {"_id": EPOCH_ID, "version": 0, "epoch": 1}
        epoch = max(int(meta["epoch"]) + 1, int(runtime.now().timestamp()) // MINUTE_SECONDS)
        await store.save(META.name, {**meta, "epoch": epoch, "version": meta["version"] + 1}, meta["version"])
    finally:
        await store.stop()


async def _published_since(folder: Path, old: Path, runtime: RealRuntime) -> Published:
    """By `topic subject`, the events that the old log holds beyond the restored one. SettingsError while in use."""
    path = old / LOG_FILE
    if not path.is_file():
        raise SettingsError(f"there is no log in the folder {old}")
    ends = await _ends(folder / LOG_FILE, runtime)
    log, found = LocalLog(path, list(TOPICS.values()), runtime), defaultdict[str, list[str]](list)
    await log.start()
    try:
        for position, end in (await log.ends(list(TOPICS))).items():
            offset = ends[position]
            while offset < end and (records := await log.read(*position, offset)):
                offset = records[-1].offset + 1
                for place, name in map(_named, records):
                    found[place].append(name)
    finally:
        await log.stop()
    return dict(found)


async def _ends(path: Path, runtime: RealRuntime) -> Mapping[Position, int]:
    log = LocalLog(path, list(TOPICS.values()), runtime)
    await log.start()
    try:
        return await log.ends(list(TOPICS))
    finally:
        await log.stop()


def _named(record: Record) -> tuple[str, str]:
    read = parse(record)
    if isinstance(read, tuple):
        return f"{record.topic} {read[0].subject}", type(read[1]).__name__
    return f"{record.topic} {read.subject}", read.reason
