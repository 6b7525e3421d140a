"""What the policy table promises for each route, computed from the table and from whose a case is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.generate import built
from shared.identity.policy import Grant
from shared.identity.roles import ROLES, Role
from shared.identity.tokens import Principal
from shared.web.callers import Guarded, guarded_routes
from tests.e2e.edge_world import OFFICE, OTHER_OFFICE
from tests.e2e.system import SERVICES

# A body that no route takes: whoever may use the route is told so (422), and nothing is changed.
BAD_BODY = {"no_such_field": 1}


# Answers that go on for as long as somebody reads: tests/integration/test_feed_stream.py asks them.
STREAMS = frozenset({"/v1/feed"})


def routes() -> list[tuple[str, Guarded]]:
    """Every route of every service that a program asks, from the services as they are built."""
    return [(name, route) for name, route in _built() if not route.page and route.path not in STREAMS]


def pages() -> list[tuple[str, Guarded]]:
    """Every one that people read by a pass."""
    return [(name, route) for name, route in _built() if route.page]


def _built() -> list[tuple[str, Guarded]]:
    return [(name, route) for name in SERVICES for route in guarded_routes(built(name).app)]


@dataclass(frozen=True)
class Somebody:
    """Whose token: `inside` is the office of the cases and the very person or institution that they are about."""

    role: Role
    office: str | None
    subject: str
    inside: bool


def everybody(subjects: Mapping[Role, str]) -> Iterator[Somebody]:
    """Each role twice, and the officer without an office. `subjects`: who signs in as the cases' person and host."""
    for role in ROLES:
        yield Somebody(role, OFFICE, subjects.get(role, f"{role}-{OFFICE}"), True)
        yield Somebody(role, OTHER_OFFICE, f"stranger-{role}", False)
    yield Somebody("officer", None, "homeless", False)


@dataclass(frozen=True)
class Case:
    """The document behind a path: its id, and the roles whose inside subject it belongs to by which relation."""

    id: str
    own: tuple[Role, ...] = ()
    institution: tuple[Role, ...] = ()

    def seen(self, grants: tuple[Grant, ...], who: Somebody) -> bool:
        """Whether one of the relations reaches this document."""
        relations = {
            "all": True,
            "office": who.office == OFFICE,
            # No other office is asked to take it over.
            "receiving": False,
            "own": who.inside and who.role in self.own,
            "institution": who.inside and who.role in self.institution,
            # Nobody is on a panel yet.
            "assigned": False,
        }
        return any(relations[grant.relation] for grant in grants)


def expected(service: str, route: Guarded, case: Case, who: Somebody) -> tuple[int, bool]:
    """The status, and for a list whether the case is in it."""
    assert route.right
    principal = Principal("", who.role, who.office)
    grants = built(service).app.state.edge.policy.allowed(principal, route.right.resource, route.right.verb)
    if not grants:
        return 403, False
    seen = case.seen(grants, who)
    if service == "monitoring" and route.right.resource in ("indicators", "periods", "feed"):
        # Figures are nobody's document; an officer's are those of the token's office, and there must be one.
        of_an_office = "indicators" in route.path or route.right.resource == "feed"
        homeless = who.office is None and grants[0].relation == "office" and of_an_office
        return (403 if homeless else 200), False
    if "{" not in route.path:
        return (422 if route.method == "POST" else 200), seen
    # These look at the body first, and it says nothing of the case.
    if route.method == "POST" and (route.path.endswith(("/applications", "/replay")) or "/drafts/" in route.path):
        return 422, False
    if not seen:
        return 404, False
    if route.method == "PATCH":
        # A piece of a file is no JSON.
        return 415, False
    return (422 if route.method == "POST" else 200), False
