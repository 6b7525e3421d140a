"""Saved views as documents, one an account: found by the account, and by the offices with which some are shared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from services.registration.domain.saved_views import SHARING_AT_MOST, SavedView, SavedViews
from services.registration.identifiers import SERVICE
from services.registration.store import VIEWS
from shared.clock import derived_id, retrying
from shared.errors import Conflict, Problem, Refusal
from shared.identity.digests import derived_key, keyed_digest
from shared.identity.tokens import Principal
from shared.messaging.topics import TOPICS
from shared.replica import Replica
from shared.store.documents import new_document
from shared.store.port import Document


@dataclass(frozen=True)
class Offered:
    """A view that somebody may choose. `own`: it is theirs, so that they may remove it.

    `id`: of the account and its place under a key, so that it tells nobody whose it is. It is kept nowhere.
    """

    id: str
    view: SavedView
    own: bool


class SavingViews:
    """What an officer saves, and what is offered to them: their own, and what colleagues share with their office."""

    def __init__(self, replica: Replica, cases: Iterable[str]) -> None:
        """`cases`: the names of this service's; each of another service is told of on a topic of its name."""
        others = (name for name in TOPICS if not name.startswith(f"{SERVICE}."))
        self._lists = frozenset({*(f"{SERVICE}/{one}" for one in cases), *(one.replace(".", "/") for one in others)})
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._keys = replica.ports.keys

    async def save(self, principal: Principal, list: str, name: str, query: str, *, shared: bool | None) -> Offered:
        """`shared`: None for as the view of that name is. Raises Refusal `too_many_views`, 422 for a list that there
        is not, and 403 for whoever shares without an office; Unavailable."""
        if list not in self._lists:
            raise Refusal("invalid", problems=(Problem("literal_error", "/list"),), status=422)
        if shared and principal.office is None:
            raise Refusal("role_may_not", status=403)
        view = SavedView(
            list=list,
            name=name,
            query=query,
            shared=bool(shared),
            office=principal.office,
            saved_at=self._runtime.now(),
        )

        def with_it(found: SavedViews) -> SavedViews:
            stays = shared is None and principal.office is not None and found.shares(view)
            return found.with_one(view.model_copy(update={"shared": stays or view.shared}))

        kept = await self._change(principal.account, with_it)
        return self._own(principal, next(one for one in kept.views if one.place == view.place))

    async def stop_sharing(self, principal: Principal, id: str) -> Offered:
        """It stays the account's own. Refusal `not_found` (404) where the account has none such; raises Unavailable."""
        kept = await self._change(principal.account, lambda found: self._with(principal, id, found, found.kept_back))
        own = (self._own(principal, one) for one in kept.views)
        found = next((one for one in own if one.id == id), None)
        if found is None:
            raise Refusal("not_found", status=404)
        return found

    async def remove(self, principal: Principal, id: str) -> None:
        """Nothing happens where the account has none such; another's is no other's to remove. Raises Unavailable."""
        await self._change(principal.account, lambda found: self._with(principal, id, found, found.without))

    async def offered(self, principal: Principal, list: str | None = None) -> tuple[Offered, ...]:
        """The own ones by name, then those of colleagues; of one list, or of all."""
        kept = _read(await self._store.load(VIEWS.name, principal.account)).views
        own = [self._own(principal, one) for one in kept]
        theirs = [one async for one in self._shared(principal)]
        return tuple(one for one in (*_by_name(own), *_by_name(theirs)) if list in (None, one.view.list))

    def _own(self, principal: Principal, view: SavedView) -> Offered:
        return Offered(self._id(principal.account, view), view, own=True)

    def _id(self, account: str, view: SavedView) -> str:
        key = derived_key(self._keys.command_key(SERVICE), "saved views")
        return derived_id("saved view", keyed_digest(key, derived_id(account, *view.place)))

    def _with(
        self, principal: Principal, id: str, found: SavedViews, change: Callable[[SavedView], SavedViews]
    ) -> SavedViews:
        """The change of the one of that id; nothing where there is none."""
        named = next((one for one in found.views if self._id(principal.account, one) == id), None)
        return found if named is None else change(named)

    async def _shared(self, principal: Principal) -> AsyncIterator[Offered]:
        if principal.office is None:
            return
        for document in await self._store.find(VIEWS.name, "office", principal.office, limit=SHARING_AT_MOST):
            if document["_id"] != principal.account:
                for one in _read(document).views:
                    if one.shared and one.office == principal.office:
                        yield Offered(self._id(document["_id"], one), one, own=False)

    async def _change(self, account: str, change: Callable[[SavedViews], SavedViews]) -> SavedViews:
        async def once() -> SavedViews:
            document = await self._store.load(VIEWS.name, account) or new_document(account)
            before = _read(document)
            after = change(before)
            if after != before:
                await self._store.save(VIEWS.name, _written(document, after), document["version"])
            return after

        return await retrying(once, self._runtime, (Conflict,))


def _by_name(views: Iterable[Offered]) -> list[Offered]:
    return sorted(views, key=lambda one: (one.view.name.casefold(), one.id))


def _read(document: Document | None) -> SavedViews:
    return SavedViews.model_validate((document or {}).get("state") or {})


def _written(document: Document, views: SavedViews) -> Document:
    return {**document, "version": document["version"] + 1, "state": views.model_dump(mode="json")}
