"""What people do with subscriptions: make one, look at it, and ask for what its deliveries then do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.monitoring import views
from services.monitoring.domain.subscriptions import (
    RESEND,
    RESUME,
    ROTATE,
    SUBSCRIBE,
    SUBSCRIPTION,
    TEST,
    Subscribing,
    Subscription,
)
from services.monitoring.domain.telling import Audience
from services.monitoring.feed import progress
from services.monitoring.feed.api import audience_of
from services.monitoring.feed.outbound import check_address
from services.monitoring.feed.signing import new_secret
from services.monitoring.store import DELIVERIES, KEEPER, SUBSCRIPTIONS
from shared.cases.bodies import Change
from shared.cases.case import Asked
from shared.clock import instant_of, text_of
from shared.errors import Conflict, Refusal
from shared.identity.sealing import open_sealed, seal
from shared.identity.tokens import Principal
from shared.replica import Replica
from shared.store.aggregates import Saved
from shared.store.port import Document
from shared.web.acting import Call, Served
from shared.web.callers import Granted

SERVICE = "monitoring"
# For so long a new secret is told, to whoever asked for it and to nobody else.
SHOWN_FOR = timedelta(minutes=10)
# For so long the secret before signs too, so that the other system can change over.
BOTH_FOR = timedelta(days=1)
AT_MOST = 100
URL, SECRETS, SHOWN = "url", "secrets", "shown"
WAKES = 5


class Secrets:
    """Secrets as a subscription's private part keeps them."""

    def __init__(self, replica: Replica) -> None:
        self._keys = replica.ports.keys
        self._runtime = replica.ports.runtime

    def fresh(self, id: str, kept: list[Mapping[str, Any]], account: str) -> dict[str, Any]:
        """The private part's fields with a new secret, and those before it for a day."""
        now = self._runtime.now()
        secret = seal(self._key, new_secret(self._runtime.rng), person=id, field=SECRETS, rng=self._runtime.rng)
        still = [{**one, "until": one["until"] or text_of(now + BOTH_FOR)} for one in self._standing(kept)]
        shown = {"to": account, "until": text_of(now + SHOWN_FOR)}
        return {SECRETS: [{"sealed": secret, "until": None}, *still[:2]], SHOWN: shown}

    def signing(self, document: Document) -> list[str]:
        """The secrets that sign now, the newest first. Raises SealBroken."""
        return [self._open(document["_id"], one) for one in self._standing(document["private"][SECRETS])]

    def shown(self, document: Document, account: str) -> str | None:
        """The newest one, for whoever asked for it just now."""
        shown = document["private"].get(SHOWN)
        if shown is None or shown["to"] != account or instant_of(shown["until"]) <= self._runtime.now():
            return None
        return self._open(document["_id"], document["private"][SECRETS][0])

    def _standing(self, kept: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        now = self._runtime.now()
        return [one for one in kept if one["until"] is None or instant_of(one["until"]) > now]

    def _open(self, id: str, kept: Mapping[str, Any]) -> str:
        return open_sealed(self._key, kept["sealed"], person=id, field=SECRETS)

    @property
    def _key(self) -> bytes:
        return self._keys.webhook_key(SERVICE)


class Subscriptions:
    """Works of the case's verbs. Raise Unavailable and UnknownOutcome as the store does."""

    def __init__(self, replica: Replica, *, local: bool) -> None:
        self._replica = replica
        self._local = local
        self.secrets = Secrets(replica)

    async def subscribe(self, call: Call[Subscribing]) -> Saved[Subscription]:
        """From now on; the place is kept first, so that a subscription never stands without one."""
        check_address(call.body.url, local=self._local)
        audience = audience_of(call.granted)
        store, runtime = self._replica.ports.store, self._replica.ports.runtime
        index, equals = (await call.granted.equalities())[0]
        if await store.count(SUBSCRIPTIONS.name, index, equals, at_most=AT_MOST) >= AT_MOST:
            raise Refusal("subscriptions_too_many")
        ends = await self._replica.ports.log.ends(wanted(audience, call.body.content).topics)
        await store.append(DELIVERIES.name, [progress.begun(call.id, ends, runtime.now())])
        account = call.principal.account
        private = {URL: call.body.url, **self.secrets.fresh(call.id, [], account)}
        if audience.kind == "published":
            private[KEEPER] = account
        return await self._asked(call, private, (audience.kind, audience.office))

    async def rotate(self, call: Call[Change]) -> Saved[Subscription]:
        kept = call.document["private"][SECRETS]
        # Between the look and the save somebody else may have rotated: theirs would be lost without a word.
        return await self._asked(call, self.secrets.fresh(call.id, kept, call.principal.account), None, exactly=True)

    async def woken(self, call: Call[Change]) -> Saved[Subscription]:
        """What is asked for is done at once, also in the middle of a pause after failures."""
        saved = await self._asked(call, None, None)
        await self._wake(call.id, anew=call.verb == RESUME)
        return saved

    async def _asked(
        self, call: Call[Any], private: Mapping[str, Any] | None, given: Any, *, exactly: bool = False
    ) -> Saved[Subscription]:
        version = call.document["version"] if exactly and call.expected_version is None else call.expected_version
        return await self._replica.kernel.execute(
            SUBSCRIPTIONS,
            call.id,
            Asked(call.verb, call.body, given),
            call.cause,
            expected_version=version,
            private=private,
        )

    async def _wake(self, id: str, *, anew: bool) -> None:
        """`anew`: what failed before counts no more."""
        store, now = self._replica.ports.store, self._replica.ports.runtime.now()
        for _ in range(WAKES):
            document = await store.load(DELIVERIES.name, id)
            if document is None:
                return
            known = progress.read(document)
            if anew:
                known = known.model_copy(update={"failures": 0, "failing_since": None})
            try:
                await store.save(DELIVERIES.name, progress.written(document, known, now), document["version"])
            except Conflict:
                continue
            return

    async def unsealed(self, document: Document, granted: Granted) -> Mapping[str, Any]:
        """What one reading tells: the last deliveries, and a secret that has just been made to whoever made it."""
        found: dict[str, Any] = {"secret": self.secrets.shown(document, granted.principal.account)}
        beside = await self._replica.ports.store.load(DELIVERIES.name, document["_id"])
        if beside is not None:
            known = progress.read(beside)
            found |= {"delivered": known.delivered, "failing_since": known.failing_since}
            found["next_try_at"] = instant_of(beside["next_at"]) if known.failures and beside["next_at"] else None
            found["deliveries"] = tuple(views.DeliverySeen(**one.model_dump()) for one in known.recent)
        return found


def wanted(audience: Audience, content: str) -> Audience:
    """What of it is sent."""
    return Audience("published") if content == "statements" else audience


def subscription_seen(document: Document, _principal: Principal) -> views.SubscriptionSeen:
    state: Subscription = SUBSCRIPTION.state.model_validate(document["state"])
    own = {"id": document["_id"], "version": document["version"], "state": state.status}
    told = state.model_dump(include={"content", "office", "opened_at", "reason"})
    return views.SubscriptionSeen(**own, **told, url=document["private"][URL])


def served_subscriptions(works: Subscriptions) -> Served:
    return Served(
        SUBSCRIPTION,
        SUBSCRIPTIONS,
        views.SubscriptionSeen,
        subscription_seen,
        {
            SUBSCRIBE: works.subscribe,
            ROTATE: works.rotate,
            TEST: works.woken,
            RESEND: works.woken,
            RESUME: works.woken,
        },
        unsealed=works.unsealed,
        columns=("url", "content", "opened_at"),
    )
