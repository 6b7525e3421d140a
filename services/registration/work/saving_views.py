"""Saved views as documents, one an account: found by the account, and by the offices with which some are shared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, replace

from services.registration.domain.saved_views import A_LIST, SHARING_AT_MOST, SavedView, SavedViews
from services.registration.identifiers import SERVICE
from services.registration.store import VIEWS
from shared.clock import derived_id, retrying
from shared.errors import Conflict, Problem, Refusal
from shared.identity.digests import derived_key, keyed_digest
from shared.identity.tokens import Principal
from shared.replica import Replica
from shared.store.documents import new_document
from shared.store.port import Document
from shared.web.known_lists import known_list


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

    def __init__(self, replica: Replica) -> None:
        self._definitions = replica.definitions
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._keys = replica.ports.keys

    async def save(self, principal: Principal, list: str, name: str, query: str, *, shared: bool | None) -> Offered:
        """`shared`: None for as the view of that name is. Raises Refusal `too_many_views`, 422 for a list that there
        is not and for a query that the list refuses, and 403 for whoever shares without an office; TooEarly while
        programmes are still being read; Unavailable."""
        self._check(principal, list, query)
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

    def _check(self, principal: Principal, list: str, query: str) -> None:
        """Raises Refusal 422 at the list that the caller has not, or at the query with what may stand in it."""
        known = known_list(list, principal.role)
        if known is None:
            raise Refusal("invalid", problems=(Problem("literal_error", "/list", A_LIST),), status=422)
        try:
            known.check(principal.role, query, self._definitions.offices)
        except Refusal as refused:
            problems = tuple(replace(one, pointer="/query", detail=_of_query(one)) for one in refused.problems)
            raise Refusal("invalid", problems=problems, status=422) from None

    async def stop_sharing(self, principal: Principal, id: str) -> Offered:
        """It stays the account's own. Refusal `not_found` (404) where the account has none such; raises Unavailable."""
        kept = await self._change(principal.account, lambda found: self._named(principal, id, found, found.kept_back))
        return next(own for one in kept.views if (own := self._own(principal, one)).id == id)

    async def remove(self, principal: Principal, id: str, key: str | None) -> None:
        """`key`: under which the same may be asked again. Refusal `not_found` (404) where the account has none such and
        did not remove it under that key; another's is no other's to remove. Raises Unavailable."""
        command = None if key is None else derived_id(principal.account, "remove saved view", id, key)

        def without(found: SavedViews) -> SavedViews:
            if command in found.removed_by:
                return found
            return self._named(principal, id, found, lambda view: found.without(view, command))

        await self._change(principal.account, without)

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

    def _named(
        self, principal: Principal, id: str, found: SavedViews, change: Callable[[SavedView], SavedViews]
    ) -> SavedViews:
        """The change of the one of that id. Refusal `not_found` (404) where there is none."""
        named = next((one for one in found.views if self._id(principal.account, one) == id), None)
        if named is None:
            raise Refusal("not_found", status=404)
        return change(named)

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


def _of_query(problem: Problem) -> str:
    """What may stand in the query, with the parameter that it is said of."""
    parameter = problem.pointer.partition("/")[2]
    return ": ".join(part for part in (parameter, problem.detail) if part)


def _by_name(views: Iterable[Offered]) -> list[Offered]:
    return sorted(views, key=lambda one: (one.view.name.casefold(), one.id))


def _read(document: Document | None) -> SavedViews:
    return SavedViews.model_validate((document or {}).get("state") or {})


def _written(document: Document, views: SavedViews) -> Document:
    return {**document, "version": document["version"] + 1, "state": views.model_dump(mode="json")}
