"""Every document of an index, a page at a time: what follows for each of them may take as long as it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator

from shared.store.port import Document, Store

AT_ONCE = 100


async def every(
    store: Store, collection: str, index: str, equals: str, *, at_once: int = AT_ONCE
) -> AsyncIterator[Document]:
    """The documents with that `equals` in the index's order, `at_once` of them read at a time. Raises Unavailable.

    Whoever takes them may change them, and so may others meanwhile: a document that is found there throughout comes
    exactly once, one that is no longer found there when its page is read does not come, and none comes twice. That
    holds since the next page begins behind the place that the last document had when it was read, whatever became of
    it, and since the place of a document never changes (`shared.store.collection.Index`); outboxes and timers, whose
    places do, are the sweeper's alone.
    """
    after: str | None = None
    while page := await store.find(collection, index, equals, after=after, limit=at_once):
        after = page[-1]["ix"][index]["o"]
        for document in page:
            yield document
        if len(page) < at_once:
            return
