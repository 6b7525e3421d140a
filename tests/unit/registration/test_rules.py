"""The rules of registration: persons, experts, institutions, programmes, names, bodies."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import rfc8785

from services.registration.bodies import ExpertRegistration, ProvidedInfo
from services.registration.domain import documents, experts, institutions, persons, programmes
from services.registration.domain.experts import ProvideInfo, RegisterExpert, ReinstateExpert, RequestInfo, ScreenExpert
from services.registration.domain.experts import SuspendExpert as Suspend
from services.registration.domain.names import fold_name
from services.registration.domain.persons import (
    CorrectProfile,
    GiveConsent,
    NewEntry,
    RecordPerson,
    ReissueProfile,
    WithdrawConsent,
)
from services.registration.examples import EXPERT
from shared.clock import derived_id
from shared.contracts.registration import Attributes, attributes_on
from shared.errors import Refusal
from shared.web.bodies import validated

NOW = datetime(2007, 3, 5, 9, tzinfo=UTC)
PERSON = derived_id("person")


def entry(name: str = "1", valid_from: str = "2007-03-05", recorded_at: datetime = NOW, **known: Any) -> NewEntry:
    return NewEntry(derived_id("entry", name), date.fromisoformat(valid_from), recorded_at, Attributes(**known))


def run(rules: Any, state: Any, *commands: Any) -> tuple[Any, list[str]]:
    """The state after the commands and the names of their events."""
    names = []
    for command in commands:
        for event in rules.decide(state, command, NOW):
            state = rules.evolve(state, event)
            names.append(type(event).__name__)
    return state, names


def rule_of(rules: Any, state: Any, command: Any) -> str:
    with pytest.raises(Refusal) as raised:
        rules.decide(state, command, NOW)
    return raised.value.rule


def recorded(**known: Any) -> Any:
    return run(persons, None, RecordPerson(None, "kabul", entry(**known), ("placement",)))[0]


def test_a_change_emits_the_whole_timeline_first_and_then_the_thin_event() -> None:
    _, names = run(persons, None, RecordPerson(None, "kabul", entry(sex="female"), ("placement", "placement")))
    assert names == ["PersonRecorded", "Profile", "ProfileChanged", "ConsentGiven"]
    state, names = run(persons, recorded(), CorrectProfile(entry("2", sex="male")))
    assert names == ["Profile", "ProfileChanged"]
    assert len(state.entries) == 2


def test_the_fold_does_not_hang_on_the_order_of_two_topics() -> None:
    events = persons.decide(None, RecordPerson(PERSON, "kabul", entry(sex="female"), ("placement",)), NOW)
    states = []
    for order in (events, [events[1], events[0], *events[2:]]):
        state = None
        for event in order:
            state = persons.evolve(state, event)
        states.append(state)
    assert states[0] == states[1]


def test_whoever_registers_again_adds_what_is_new() -> None:
    state = recorded(sex="female")
    _, names = run(persons, state, RecordPerson(None, "herat", entry("2", sex="female"), ("placement", "survey")))
    assert names == ["ConsentGiven"]
    _, names = run(persons, state, RecordPerson(None, "herat", entry("2", "2008-01-01", sex="other")))
    assert names == ["Profile", "ProfileChanged"]


def test_a_correction_keeps_the_day_and_is_recorded_later_whatever_the_clock_says() -> None:
    state = recorded(birth_year=1971)
    behind = NOW - timedelta(hours=1)
    corrected, _ = run(
        persons, state, CorrectProfile(entry("2", recorded_at=behind, birth_year=1972), derived_id("entry", "1"))
    )
    assert corrected.entries[1].recorded_at > corrected.entries[0].recorded_at
    known = attributes_on(corrected.entries, date(2007, 3, 5))
    assert known is not None
    assert known.birth_year == 1972
    wrong_day = CorrectProfile(entry("2", "2007-03-06", birth_year=1972), derived_id("entry", "1"))
    assert rule_of(persons, state, wrong_day) == "correction_keeps_valid_from"
    unknown = CorrectProfile(entry("2", birth_year=1972), derived_id("entry", "9"))
    assert rule_of(persons, state, unknown) == "entry_unknown"
    assert rule_of(persons, state, CorrectProfile(entry("2", birth_year=1971))) == "profile_unchanged"
    assert rule_of(persons, None, CorrectProfile(entry("2"))) == "not_found"


def test_what_held_on_a_day_is_the_latest_valid_then_the_latest_recorded() -> None:
    state, _ = run(
        persons,
        recorded(education=5),
        CorrectProfile(entry("2", "2008-01-01", education=6)),
        CorrectProfile(entry("3", "2007-03-05", education=4)),
    )
    levels = {day: attributes_on(state.entries, date.fromisoformat(day)) for day in ("2007-12-31", "2008-01-01")}
    assert [one.education for one in levels.values() if one] == [4, 6]
    assert attributes_on(state.entries, date(2007, 3, 4)) is None


def test_consents() -> None:
    state = recorded()
    assert rule_of(persons, state, GiveConsent("placement")) == "consent_already_given"
    assert rule_of(persons, state, WithdrawConsent("survey")) == "consent_not_given"
    state, names = run(persons, state, WithdrawConsent("placement"), GiveConsent("placement"))
    assert names == ["ConsentWithdrawn", "ConsentGiven"]
    assert state.consents == {"placement": "given"}


def test_a_reissue_says_what_is_known_now() -> None:
    state = recorded(sex="female")
    (event,) = persons.decide(state, ReissueProfile(), NOW)
    assert persons.evolve(state, event) == state


def registered() -> Any:
    return run(experts, None, RegisterExpert(PERSON, "example-1", 3, "kabul", "officer"))[0]


def test_an_expert_is_screened_once() -> None:
    state = registered()
    assert (state.status, state.programme_version) == ("screening", 3)
    assert experts.scope(state).programme_version == 3
    eligible, _ = run(experts, state, ScreenExpert(()))
    ineligible, _ = run(experts, state, ScreenExpert(("education", "age")))
    assert (eligible.status, ineligible.status, ineligible.criteria) == ("eligible", "ineligible", ("education", "age"))
    for closed in (eligible, ineligible):
        assert rule_of(experts, closed, ScreenExpert(())) == "illegal_transition"
    assert rule_of(experts, state, RegisterExpert(PERSON, "example-1", 3, "kabul", "self")) == "already_registered"


def test_screening_asks_waits_and_goes_on() -> None:
    asked, _ = run(experts, registered(), RequestInfo(("diploma",)))
    assert (asked.status, asked.items) == ("needs_info", ("diploma",))
    assert rule_of(experts, asked, ScreenExpert(())) == "illegal_transition"
    assert run(experts, asked, ProvideInfo())[0].status == "screening"
    assert rule_of(experts, registered(), ProvideInfo()) == "illegal_transition"


@pytest.mark.parametrize("before", [(), (RequestInfo(("diploma",)),), (ScreenExpert(()),), (ScreenExpert(("age",)),)])
def test_a_suspension_ends_where_it_began(before: tuple[Any, ...]) -> None:
    state, _ = run(experts, registered(), *before)
    suspended, _ = run(experts, state, Suspend("unreachable"))
    assert suspended.status == "suspended"
    assert rule_of(experts, suspended, Suspend("again")) == "illegal_transition"
    assert run(experts, suspended, ReinstateExpert())[0] == state


def test_an_institution_moves_only_along_its_arrows() -> None:
    register = institutions.RegisterInstitution(None, "kabul", "AF", "education", "public")
    state, _ = run(institutions, None, register)
    assert rule_of(institutions, state, register) == "already_registered"
    assert rule_of(institutions, state, institutions.ActivateInstitution()) == "illegal_transition"
    road = (institutions.AssessInstitution(), institutions.AcceptPartner(), institutions.ActivateInstitution())
    active, _ = run(institutions, state, *road)
    held, _ = run(institutions, active, institutions.PutOnHold("relocating"))
    assert (held.status, held.reason) == ("on_hold", "relocating")
    again, _ = run(institutions, held, institutions.ActivateInstitution())
    assert again == active
    closed, _ = run(institutions, again, institutions.CloseInstitution("merged"))
    assert rule_of(institutions, closed, institutions.CloseInstitution("merged")) == "illegal_transition"


def test_a_definition_that_says_nothing_new_is_no_version() -> None:
    state, names = run(programmes, None, programmes.PublishProgramme("p", {"a": 1}))
    assert (state.definition_version, names) == (1, ["ProgrammePublished"])
    assert run(programmes, state, programmes.PublishProgramme("p", {"a": 1}))[1] == []
    assert run(programmes, state, programmes.PublishProgramme("p", {"a": 2}))[0].definition_version == 2


def test_a_number_is_held_by_one_person() -> None:
    documents.admit({}, {}, {})
    with pytest.raises(Refusal) as raised:
        documents.admit({}, {"somebody": {"claim": {}}}, {})
    assert (raised.value.rule, raised.value.problems[0].pointer) == (documents.RULE, "/person/document/number")
    assert [documents.usage(one) for one in (None, {"state": None}, {"state": {}})] == ["pending", "pending", "used"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Amina", "Haddad"), ("HADDAD", "amina")),
        (("José", "Núñez"), ("Jose", "Nunez")),
        (("أحمد", "الهاشمى"), ("احمد", "الهاشمي")),
        (("محـــمد", "فاطمة"), ("محمد", "فاطمه")),
        (("Anne-Marie", "O'Neil"), ("anne marie", "o neil")),
    ],
)
def test_spellings_of_one_name_compare_equal(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert fold_name(*one) == fold_name(*other)


def body(**changes: Any) -> bytes:
    sent = copy.deepcopy(EXPERT)
    sent["person"] |= changes
    return rfc8785.dumps(sent)


def test_texts_are_brought_into_one_form() -> None:
    person = validated(ExpertRegistration, body(given_name="  Ame\u0301lie \t  Rose ")).person
    assert person.given_name == "Am\u00e9lie Rose"
    # The zero-width joiner belongs to the spelling of the name.
    assert "\u200c" in validated(ExpertRegistration, body(given_name="می\u200cخواهم")).person.given_name


@pytest.mark.parametrize(
    "changes",
    [
        {"given_name": "a\u202eb"},
        {"family_name": "x" * 121},
        {"email": "a@b"},
        {"telephone": "call me"},
        {"attributes": {"birth_year": 1}},
        {"attributes": {"languages": [{"language": "xx", "level": "B1"}]}},
        {"attributes": {"languages": [{"language": "en", "level": "B1"}, {"language": "en", "level": "C1"}]}},
    ],
)
def test_what_does_not_fit_is_refused_without_its_value(changes: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as raised:
        validated(ExpertRegistration, body(**changes))
    assert all(problem.pointer.startswith("/person/") for problem in raised.value.problems)


def test_attributes_come_with_their_day() -> None:
    with pytest.raises(Refusal):
        validated(ProvidedInfo, b'{"valid_from":"2007-03-05"}')
    assert validated(ProvidedInfo, b"{}").attributes is None
