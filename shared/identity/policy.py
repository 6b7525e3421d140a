"""Who may do what: role x resource x verb x relation, one table a service with a row for each of its routes.

The office is the token's. A row compiles to one equality over an index that is named like its relation, so that
the same two strings find a list in the store and tell of one loaded document whether it may be seen (404).
Every collection behind a policy declares the indexes of the relations that its rows use:
`all` (always the text "all"), `office` (the office's code), `receiving` (the code of the office that is asked to take
the case over), `own` (the person's id, or the account where the
resource is in OWNED_BY_ACCOUNT), `institution` (the institution's id), `assigned` (accounts).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from shared.errors import Refusal
from shared.identity.rights import INTAKE, OPERATION, Rights
from shared.identity.roles import ROLES, Relation, Role
from shared.identity.tokens import Principal
from shared.store.collection import belongs
from shared.store.port import Document

Equality = tuple[str, str]

RECORD_LATE = "record-late"
# What somebody sends in belongs to the account, since the person may not exist yet; so does what somebody asks for.
OWNED_BY_ACCOUNT = frozenset({"receipts", "jobs"})
# The first of these decides over which index a list is found.
WIDEST_FIRST: tuple[Relation, ...] = ("all", "office", "receiving", "institution", "assigned", "own")


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    role: Role
    resource: str
    verb: str
    relation: Relation


@dataclass(frozen=True)
class Grant:
    """What a row gives to one principal: the resource under that relation."""

    resource: str
    relation: Relation


@dataclass(frozen=True)
class Subjects:
    """What an account stands for in a service: a person's id, an institution's id, or neither yet."""

    person: str | None = None
    institution: str | None = None


SubjectsOf = Callable[[str], Awaitable[Subjects]]


class Policy:
    """The table, looked up by role, resource and verb."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = tuple(rows)
        self._granted: dict[tuple[str, str, str], tuple[Grant, ...]] = {}
        for relation in WIDEST_FIRST:
            for row in self.rows:
                if row.relation == relation:
                    key = (row.role, row.resource, row.verb)
                    self._granted[key] = (*self._granted.get(key, ()), Grant(row.resource, row.relation))

    def allowed(self, principal: Principal, resource: str, verb: str) -> tuple[Grant, ...]:
        """The grants of the principal's role, the widest first; none means 403."""
        return self._granted.get((principal.role, resource, verb), ())

    def knows(self, resource: str, verb: str) -> bool:
        """Whether any role may do this; a route for which it is false fails the tests."""
        return any((role, resource, verb) in self._granted for role in ROLES)

    def may_record_late(self, principal: Principal) -> bool:
        """Whether the principal may give `happened_at` for what happened earlier."""
        return bool(self.allowed(principal, "facts", RECORD_LATE))


def equality(grant: Grant, principal: Principal, subjects: Subjects) -> Equality | None:
    """Index name and equals text of the grant; None where the principal has no such relation to anything."""
    equals = {
        "all": "all",
        "office": principal.office,
        "receiving": principal.office,
        "assigned": principal.account,
        "institution": subjects.institution,
        "own": principal.account if grant.resource in OWNED_BY_ACCOUNT else subjects.person,
    }[grant.relation]
    return (grant.relation, equals) if equals else None


async def equalities(grants: Iterable[Grant], principal: Principal, subjects_of: SubjectsOf) -> tuple[Equality, ...]:
    """The equalities of the grants; the account is resolved once, and only where a grant needs it."""
    grants = tuple(grants)
    needed = any(grant.relation in ("own", "institution") for grant in grants)
    subjects = await subjects_of(principal.account) if needed else Subjects()
    found = (equality(grant, principal, subjects) for grant in grants)
    return tuple(one for one in found if one is not None)


def visible(document: Document | None, granted: Iterable[Equality]) -> Document:
    """The document if one of the equalities would find it; Refusal `not_found` (404) for all else alike."""
    if document is not None and any(belongs(document, index, equals) for index, equals in granted):
        return document
    raise Refusal("not_found", status=404)


def policy_of(cases: Iterable[Row], rights: Iterable[Rights] = (), *, intake: bool = False) -> Policy:
    """A service's table: the rows of its cases, what it serves beside them, and what every service serves."""
    written = (*rights, *OPERATION, *(INTAKE if intake else ()))
    return Policy((*cases, *(row for one in written for row in _rows(one))))


def _rows(right: Rights) -> Iterable[Row]:
    resource, verbs, roles = right
    return (Row(role, resource, verb, relation) for verb in verbs.split() for role, relation in roles.items())
