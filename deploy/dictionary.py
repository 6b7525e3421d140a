"""Trains the dictionary by which local stores pack documents, on the documents of stopped systems.

    python -m deploy.dictionary DATA...

For when much of what is stored has become another: the dictionary is then less use, and still right, and files keep
those that their rows name. Give it data folders of made-up people alone: what many documents have in common is copied
into the dictionary, and that is published.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import zstandard

from shared.clock import RealRuntime
from shared.replica import stored
from shared.services import SERVICES
from shared.store import packing
from shared.store.local import LocalStore

SIZE = 32_768
# Of one collection, over its whole length: many of one kind would leave no room for the others.
SAMPLES = 300
LONGEST = 8_192


async def texts_of(folder: Path) -> list[bytes]:
    """Texts of the folder's stores as they are packed, some of each collection."""
    runtime, found = RealRuntime(), list[bytes]()
    for service in SERVICES:
        declared = importlib.import_module(f"services.{service}.store")
        collections = stored(declared.COLLECTIONS, declared.SHADOWS)
        store = LocalStore(folder / f"{service}.sqlite", collections, runtime)
        await store.start()
        for collection in collections:
            found += _some(store.packed_texts(collection.name))
        await store.stop()
    runtime.close()
    return found


def _some(texts: Iterator[bytes]) -> Sequence[bytes]:
    short = [text for text in texts if len(text) <= LONGEST]
    return short[:: max(1, len(short) // SAMPLES)]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("data", nargs="+", type=Path)
    samples = [text for folder in arguments.parse_args().data for text in asyncio.run(texts_of(folder))]
    words = zstandard.train_dictionary(SIZE, [*samples], level=packing.LEVEL).as_bytes()
    Path(packing.__file__).with_name(packing.WORDS_FILE).write_bytes(words)
    packed = packing.Packing(words)
    before, after = sum(map(len, samples)), sum(len(packed.pack(text)) for text in samples)
    print(f"{len(samples)} documents of {before} bytes, packed {after}")


if __name__ == "__main__":
    main()
