from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.generate import built
from shared.clock import RealRuntime
from shared.errors import Refusal
from shared.identity.policy import (
    WIDEST_FIRST,
    Grant,
    Policy,
    Subjects,
    equalities,
    equality,
    visible,
)
from shared.identity.roles import ROLES, Role
from shared.identity.tokens import Principal
from shared.store.collection import Collection, Index, belongs
from shared.store.local import LocalStore

CASES = Collection(
    "cases",
    {
        "all": Index(lambda d: ["all"]),
        "office": Index(lambda d: [d["office"]]),
        "own": Index(lambda d: [d["person"]]),
        "receiving": Index(lambda d: [d["receiving"]]),
        "institution": Index(lambda d: [d["institution"]]),
        "assigned": Index(lambda d: d["panel"]),
    },
)
NAMES = st.sampled_from(["a", "b", "c", "all"])
SERVICES = ("registration", "matching", "placement", "monitoring")


@pytest.fixture(params=SERVICES)
def policy(request: pytest.FixtureRequest) -> Policy:
    """The table of each service, as its edge has it."""
    return policy_of_service(request.param)


def policy_of_service(name: str) -> Policy:
    found: Policy = built(name).app.state.edge.policy
    return found


def who(role: Role, office: str | None = "kabul", account: str = "a") -> Principal:
    return Principal(account, role, office)


def test_the_roles_are_exactly_the_eight() -> None:
    assert set(ROLES) == {
        "expert",
        "host",
        "officer",
        "panel",
        "finance",
        "evaluator",
        "protection",
        "administrator",
    }


def test_every_role_may_do_something_somewhere() -> None:
    assert {row.role for name in SERVICES for row in policy_of_service(name).rows} == set(ROLES)


def test_no_row_comes_twice_and_the_widest_grant_is_first(policy: Policy) -> None:
    assert len(set(policy.rows)) == len(policy.rows)
    for row in policy.rows:
        relations = [grant.relation for grant in policy.allowed(who(row.role), row.resource, row.verb)]
        assert row.relation in relations
        assert relations == sorted(relations, key=WIDEST_FIRST.index)


def test_a_list_is_under_one_relation_for_every_role(policy: Policy) -> None:
    for row in policy.rows:
        if row.verb == "list":
            assert len(policy.allowed(who(row.role), row.resource, "list")) == 1, row


def test_an_evaluator_sees_figures_and_nothing_else(policy: Policy) -> None:
    """And has files made of those that were published."""
    rows = [row for row in policy.rows if row.role == "evaluator"]
    # `today` is a page of what waits under the other rows: nothing, for an evaluator.
    figures = {"feed", "indicators", "periods", "series", "statements", "today"}
    assert {row.resource for row in rows} <= figures | {"exports", "jobs", "subscriptions"}
    assert {row.verb for row in rows if row.resource in figures} <= {"list", "read"}
    assert {row.verb for row in rows if row.resource == "exports"} <= {"create"}
    assert {row.relation for row in rows if row.resource == "jobs"} <= {"own"}
    # Where what is published is sent is the evaluator's own to say, and changes no figure.
    assert {row.relation for row in rows if row.resource == "subscriptions"} <= {"assigned"}
    assert not policy.allowed(who("evaluator"), "indicators", "disaggregate")


def test_who_may_record_late(policy: Policy) -> None:
    """In placement the host too: who received the expert knows the day of the arrival and of the end."""
    of_hosts = {row.resource for row in policy.rows if row.verb == "confirm-arrival"}
    expected = {"officer", "administrator"} | ({"host"} if of_hosts else set())
    assert {role for role in ROLES if policy.may_record_late(who(role))} == expected


def test_an_officer_never_reaches_beyond_the_office_in_cases(policy: Policy) -> None:
    # What was published, and where the periods of a programme stand, is of no office.
    open_to_all = {"programmes", "vacancies", "series", "statements", "exports"}
    wide = {
        r.resource for r in policy.rows if r.role in ("officer", "finance", "host", "expert") and r.relation == "all"
    }
    assert wide <= open_to_all


def test_no_row_no_grant() -> None:
    policy = policy_of_service("registration")
    assert policy.allowed(who("panel"), "persons", "read") == ()
    assert not policy.knows("persons", "explode")
    assert policy.knows("experts", "screen")


def test_relations_compile_to_the_index_of_their_name() -> None:
    subjects = Subjects(person="p", institution="i")
    found = {
        relation: equality(Grant("matches", relation), who("officer", account="acc"), subjects)
        for relation in WIDEST_FIRST
    }
    assert found == {
        "all": ("all", "all"),
        "office": ("office", "kabul"),
        "receiving": ("receiving", "kabul"),
        "institution": ("institution", "i"),
        "assigned": ("assigned", "acc"),
        "own": ("own", "p"),
    }
    assert equality(Grant("receipts", "own"), who("expert", account="acc"), subjects) == ("own", "acc")


@pytest.mark.parametrize("relation", ["office", "receiving", "own", "institution"])
def test_without_the_relation_there_is_no_equality(relation: str) -> None:
    assert equality(Grant("matches", relation), who("officer", office=None), Subjects()) is None  # type: ignore[arg-type]


async def test_the_account_is_resolved_only_where_a_grant_needs_it() -> None:
    asked: list[str] = []

    async def subjects_of(account: str) -> Subjects:
        asked.append(account)
        return Subjects(person="p")

    assert await equalities((Grant("x", "office"), Grant("x", "all")), who("officer"), subjects_of)
    assert asked == []
    assert await equalities((Grant("x", "own"), Grant("x", "institution")), who("expert"), subjects_of) == (
        ("own", "p"),
    )
    assert asked == ["a"]


@given(
    cases=st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES, st.lists(NAMES, max_size=2)), max_size=6),
    office=NAMES,
    account=NAMES,
    person=NAMES,
    institution=NAMES,
)
async def test_find_and_the_predicate_after_load_agree(
    cases: list[tuple[str, str, str, str, list[str]]], office: str, account: str, person: str, institution: str
) -> None:
    """The equality gives a list exactly the documents that it lets be seen one by one, for every relation."""
    runtime = RealRuntime()
    store = LocalStore(None, [CASES], runtime)
    await store.start()
    for number, (its_office, asked, its_person, its_institution, panel) in enumerate(cases):
        document = {
            "_id": f"case-{number}",
            "version": 1,
            "office": its_office,
            "receiving": asked,
            "person": its_person,
            "institution": its_institution,
            "panel": list(dict.fromkeys(panel)),
        }
        await store.save("cases", CASES.indexed(document), 0)
    principal = Principal(account, "officer", office)
    for relation in WIDEST_FIRST:
        one = equality(Grant("cases", relation), principal, Subjects(person, institution))
        assert one is not None
        listed = {document["_id"] for document in await store.find("cases", *one)}
        seen = {document["_id"] async for document in store.scan("cases") if belongs(document, *one)}
        assert listed == seen
    await store.stop()
    runtime.close()


def test_what_is_missing_and_what_is_anothers_look_alike() -> None:
    document = CASES.indexed(
        {"_id": "1", "version": 1, "office": "kabul", "receiving": "r", "person": "p", "institution": "i", "panel": []}
    )
    assert visible(document, [("own", "q"), ("office", "kabul")]) is document
    refusals = []
    for found, granted in ((None, [("all", "all")]), (document, [("office", "tbilisi")]), (document, [])):
        with pytest.raises(Refusal) as refusal:
            visible(found, granted)
        refusals.append((refusal.value.status, refusal.value.rule, refusal.value.detail))
    assert refusals == [(404, "not_found", "")] * 3
