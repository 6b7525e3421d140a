"""The rules of registration: persons, experts, institutions, programmes, names, bodies."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import rfc8785

from services.registration.domain import appeals, documents, timeline
from services.registration.domain.examples import EXPERT as REGISTRATION
from services.registration.domain.examples import INSTITUTION as PROPOSED
from services.registration.domain.experts import EXPERT, Applicant, ExpertRegistration, ProvidedInfo, Review, Screened
from services.registration.domain.institutions import INSTITUTION
from services.registration.domain.lives import RULES, beyond_a_life
from services.registration.domain.names import fold_name
from services.registration.domain.persons import PERSON, Standing
from services.registration.domain.programmes import PROGRAMME
from shared.cases.case import Asked, Case
from shared.clock import derived_id
from shared.contracts.registration.persons import Attributes, ProfileEntry, attributes_on
from shared.errors import Refusal
from shared.web.bodies import validated
from shared.zones import zone

NOW = datetime(2007, 3, 5, 9, tzinfo=UTC)
WHOSE = derived_id("person")


def entry(name: str = "1", valid_from: str = "2007-03-05", recorded_at: datetime = NOW, **known: Any) -> ProfileEntry:
    day, attributes = date.fromisoformat(valid_from), Attributes(**known)
    return ProfileEntry(id=derived_id("entry", name), valid_from=day, recorded_at=recorded_at, attributes=attributes)


def run(case: Case[Any], state: Any, *commands: Asked) -> tuple[Any, list[str]]:
    """The state after the commands and the names of their events."""
    names = []
    for command in commands:
        for event in case.decide(state, command, NOW):
            state = case.evolve(state, event)
            names.append(type(event).__name__)
    return state, names


def rule_of(case: Case[Any], state: Any, command: Asked) -> str:
    with pytest.raises(Refusal) as raised:
        case.decide(state, command, NOW)
    return raised.value.rule


def record(of: ProfileEntry, *consents: str, account: str | None = None) -> Asked:
    return PERSON.ask("record", account=account, office="kabul", entry=of, consents=consents)


def correct(new: ProfileEntry, corrects: str | None = None) -> Asked:
    said = {"attributes": new.attributes, "valid_from": new.valid_from, "corrects": corrects}
    return PERSON.ask("correct-profile", new, **said)


def recorded(**known: Any) -> Any:
    return run(PERSON, None, record(entry(**known), "placement"))[0]


def test_a_change_emits_the_whole_timeline_first_and_then_the_thin_event() -> None:
    _, names = run(PERSON, None, record(entry(sex="female"), "placement", "placement"))
    assert names == ["PersonRecorded", "Profile", "ProfileChanged", "ConsentGiven"]
    state, names = run(PERSON, recorded(), correct(entry("2", sex="male")))
    assert names == ["Profile", "ProfileChanged"]
    assert len(state.entries) == 2


def test_the_fold_does_not_hang_on_the_order_of_two_topics() -> None:
    events = PERSON.decide(None, record(entry(sex="female"), "placement", account=WHOSE), NOW)
    states = []
    for order in (events, [events[1], events[0], *events[2:]]):
        state = None
        for event in order:
            state = PERSON.evolve(state, event)
        states.append(state)
    assert states[0] == states[1]


def test_whoever_registers_again_adds_what_is_new() -> None:
    state = recorded(sex="female")
    _, names = run(PERSON, state, record(entry("2", sex="female"), "placement", "survey"))
    assert names == ["ConsentGiven"]
    _, names = run(PERSON, state, record(entry("2", "2008-01-01", sex="other")))
    assert names == ["Profile", "ProfileChanged"]


def test_a_correction_keeps_the_day_and_is_recorded_later_whatever_the_clock_says() -> None:
    state = recorded(birth_year=1971)
    behind = NOW - timedelta(hours=1)
    corrected, _ = run(
        PERSON, state, correct(entry("2", recorded_at=behind, birth_year=1972), derived_id("entry", "1"))
    )
    assert corrected.entries[1].recorded_at > corrected.entries[0].recorded_at
    known = attributes_on(corrected.entries, date(2007, 3, 5))
    assert known is not None
    assert known.birth_year == 1972
    wrong_day = correct(entry("2", "2007-03-06", birth_year=1972), derived_id("entry", "1"))
    assert rule_of(PERSON, state, wrong_day) == "correction_keeps_valid_from"
    unknown = correct(entry("2", birth_year=1972), derived_id("entry", "9"))
    assert rule_of(PERSON, state, unknown) == "entry_unknown"
    assert rule_of(PERSON, state, correct(entry("2", birth_year=1971))) == "profile_unchanged"
    assert rule_of(PERSON, None, correct(entry("2"))) == "not_found"


def test_what_held_on_a_day_is_the_latest_valid_then_the_latest_recorded() -> None:
    state, _ = run(
        PERSON,
        recorded(education=5),
        correct(entry("2", "2008-01-01", education=6)),
        correct(entry("3", "2007-03-05", education=4)),
    )
    levels = {day: attributes_on(state.entries, date.fromisoformat(day)) for day in ("2007-12-31", "2008-01-01")}
    assert [one.education for one in levels.values() if one] == [4, 6]
    assert attributes_on(state.entries, date(2007, 3, 4)) is None


def test_consents() -> None:
    state = recorded()
    give, withdraw = (
        PERSON.ask("give-consent", purpose="placement"),
        PERSON.ask("withdraw-consent", purpose="placement"),
    )
    assert rule_of(PERSON, state, give) == "consent_already_given"
    assert rule_of(PERSON, state, PERSON.ask("withdraw-consent", purpose="stories")) == "consent_not_given"
    state, names = run(PERSON, state, withdraw, give)
    assert names == ["ConsentWithdrawn", "ConsentGiven"]
    assert state.consents == {"placement": "given"}


def test_a_reissue_says_what_is_known_now() -> None:
    state = recorded(sex="female")
    (event,) = PERSON.decide(state, PERSON.ask("reissue"), NOW)
    assert PERSON.evolve(state, event) == state
    assert rule_of(PERSON, None, PERSON.ask("reissue")) == "not_found"


def erase(*statistical: str, **stands: bool) -> Asked:
    return PERSON.ask("erase", Standing(frozenset(statistical), **stands), reason="own_request")


def test_of_an_erased_person_stays_what_is_statistical_and_nothing_else() -> None:
    state = recorded(sex="female", birth_year=1971, country_of_origin="AF", education=6)
    state, names = run(PERSON, state, erase("sex", "country_of_origin"))
    # Whoever hears of the erasure alone has heard before that no consent stands.
    assert names == ["ConsentWithdrawn", "Profile", "PersonErased"]
    assert (state.status, state.consents) == ("erased", {"placement": "withdrawn"})
    (kept,) = state.entries
    assert kept == entry(sex="female", country_of_origin="AF")
    # The head of the compacted topic says it once more where an older record came behind it.
    (again,) = PERSON.decide(state, PERSON.ask("reissue"), NOW)
    assert (again.entries, again.erased) == (state.entries, True)


def test_where_a_programme_lists_nothing_as_statistical_an_empty_timeline_stays() -> None:
    state, _ = run(PERSON, recorded(sex="female"), erase())
    assert state.entries == ()
    (again,) = PERSON.decide(state, PERSON.ask("reissue"), NOW)
    assert (again.entries, again.erased) == ((), True)


def test_a_second_erasure_changes_nothing_and_nothing_else_is_possible_any_more() -> None:
    state, _ = run(PERSON, recorded(sex="female"), erase("sex"))
    assert run(PERSON, state, erase()) == (state, [])
    for command in (record(entry("2", sex="male")), correct(entry("2", sex="male"))):
        assert rule_of(PERSON, state, command) == "illegal_transition"
    for verb in ("give-consent", "withdraw-consent"):
        assert rule_of(PERSON, state, PERSON.ask(verb, purpose="placement")) == "illegal_transition"


def test_nobody_is_erased_whose_case_reached_a_placement_or_who_stands_on_an_offer() -> None:
    assert rule_of(PERSON, recorded(), erase(placed=True, offered=True)) == "placement_reached"
    assert rule_of(PERSON, recorded(), erase(offered=True)) == "offer_stands"
    assert rule_of(PERSON, None, erase()) == "not_found"


def create() -> Asked:
    return Asked("create", ExpertRegistration.model_validate(REGISTRATION), Applicant(WHOSE, 3, "officer"))


UNTIL = datetime(2007, 4, 5, tzinfo=UTC)


def screen(*failed: str, verb: str = "screen") -> Asked:
    return EXPERT.ask(verb, Screened(failed, UNTIL))


def suspend(reason: str = "unreachable") -> Asked:
    return EXPERT.ask("suspend", UNTIL, reason=reason)


ASK = EXPERT.ask("request-info", items=("diploma",))


def registered() -> Any:
    return run(EXPERT, None, create())[0]


def test_an_expert_is_screened_once() -> None:
    state = registered()
    assert (state.status, state.person, state.programme_version, state.registered_at) == ("screening", WHOSE, 3, NOW)
    assert EXPERT.scope(state).programme_version == 3
    eligible, _ = run(EXPERT, state, screen())
    ineligible, _ = run(EXPERT, state, screen("education", "age"))
    assert (eligible.status, ineligible.status, ineligible.criteria) == ("eligible", "ineligible", ("education", "age"))
    for closed in (eligible, ineligible):
        assert rule_of(EXPERT, closed, screen()) == "illegal_transition"
    assert rule_of(EXPERT, state, create()) == "already_registered"


def settle(outcome: str) -> Asked:
    return EXPERT.ask("settle-identity", derived_id("holder"), outcome=outcome, reason="documents_compared")


def clashing() -> Any:
    body, who = ExpertRegistration.model_validate(REGISTRATION), Applicant(WHOSE, 3, "officer", clashes=True)
    state, names = run(EXPERT, None, Asked("create", body, who))
    assert (state.status, names) == ("identity_clash", ["ExpertIdentityClashed"])
    return state


def test_whoever_claims_a_number_of_somebody_else_is_registered_once_that_is_decided() -> None:
    for outcome in ("holds", "moves"):
        state, names = run(EXPERT, clashing(), settle(outcome))
        assert names == ["ExpertIdentitySettled", "ExpertRegistered"]
        assert (state.status, state.identity.outcome, state.reason) == ("screening", outcome, None)
        plain = registered().model_dump()
        assert {**state.model_dump(), "identity": None} == plain
        assert rule_of(EXPERT, state, settle(outcome)) == "illegal_transition"


def test_a_claim_of_the_same_person_ends_the_case_until_it_is_found_otherwise() -> None:
    state, names = run(EXPERT, clashing(), settle("same_person"))
    assert (state.status, names) == ("duplicate", ["ExpertIdentitySettled"])
    assert rule_of(EXPERT, state, settle("same_person")) == "outcome_unchanged"
    assert rule_of(EXPERT, state, screen()) == "illegal_transition"
    assert run(EXPERT, state, settle("holds"))[0].status == "screening"


def test_a_refusal_names_a_clash_as_what_the_person_reads() -> None:
    details = []
    for state in (clashing(), registered()):
        with pytest.raises(Refusal) as raised:
            EXPERT.decide(state, Asked("provide-info", ProvidedInfo()), NOW)
        details.append((raised.value.rule, raised.value.detail))
    assert details[0] == details[1]
    # Whoever reads the state is refused by its name.
    for role, named in (("expert", "screening"), ("officer", "identity_clash"), ("protection", "identity_clash")):
        with pytest.raises(Refusal) as raised:
            EXPERT.decide(clashing(), replace(EXPERT.ask("withdraw-transfer"), role=role), NOW)
        assert str(raised.value.detail).endswith(f"; the case is {named}")


def test_a_declaration_says_what_the_criteria_say() -> None:
    state = registered()
    assert run(EXPERT, state, screen(verb="declare-eligible"))[0].status == "eligible"
    ineligible, _ = run(EXPERT, state, screen("age", verb="declare-ineligible"))
    assert (ineligible.status, ineligible.criteria) == ("ineligible", ("age",))
    assert rule_of(EXPERT, state, screen("age", verb="declare-eligible")) == "criteria_failed"
    assert rule_of(EXPERT, state, screen(verb="declare-ineligible")) == "criteria_met"


def test_screening_asks_waits_and_goes_on() -> None:
    asked, _ = run(EXPERT, registered(), ASK)
    assert (asked.status, asked.items) == ("needs_info", ("diploma",))
    assert rule_of(EXPERT, asked, screen()) == "illegal_transition"
    provided, _ = run(EXPERT, asked, EXPERT.ask("provide-info"))
    assert (provided.status, provided.items) == ("screening", ())
    assert rule_of(EXPERT, registered(), EXPERT.ask("provide-info")) == "illegal_transition"


@pytest.mark.parametrize("before", [(), (ASK,), (screen(),), (screen("age"),)])
def test_a_suspension_ends_where_it_began(before: tuple[Asked, ...]) -> None:
    state, _ = run(EXPERT, registered(), *before)
    suspended, _ = run(EXPERT, state, suspend())
    assert (suspended.status, suspended.reason) == ("suspended", "unreachable")
    assert rule_of(EXPERT, suspended, suspend("again")) == "illegal_transition"
    assert run(EXPERT, suspended, EXPERT.ask("reinstate", Review(state.criteria)))[0] == state


def review(*failed: str, offered: bool = False) -> Asked:
    return EXPERT.ask("reconsider", Review(failed, offered))


def test_a_change_that_turns_the_decision_brings_the_case_back_to_screening() -> None:
    eligible, _ = run(EXPERT, registered(), screen())
    ineligible, _ = run(EXPERT, registered(), screen("education"))
    for state, changed in ((eligible, review("residence")), (ineligible, review()), (ineligible, review(offered=True))):
        again, names = run(EXPERT, state, changed)
        assert (again.status, again.reason, names) == ("screening", "profile_changed", ["ExpertScreeningReopened"])
        assert run(EXPERT, again, changed)[1] == []
    for state, same in ((eligible, review()), (ineligible, review("age"))):
        assert run(EXPERT, state, same)[1] == []


def test_a_change_after_an_offer_flags_the_case_until_it_is_decided() -> None:
    eligible, _ = run(EXPERT, registered(), screen())
    flagged, names = run(EXPERT, eligible, review("residence", offered=True))
    assert (flagged.status, flagged.failing, names) == ("eligible", ("residence",), ["ExpertEligibilityChanged"])
    assert run(EXPERT, flagged, review("residence", offered=True))[1] == []
    assert run(EXPERT, flagged, review(offered=True))[0] == eligible
    freed, _ = run(EXPERT, flagged, review("residence"))
    assert (freed.status, freed.failing) == ("screening", ())
    assert run(EXPERT, flagged, AGAIN, screen())[0].failing == ()


def test_a_suspension_ends_in_screening_where_the_decision_no_longer_holds() -> None:
    for decision, now in ((screen(), ("education",)), (screen("education"), ())):
        suspended, _ = run(EXPERT, registered(), decision, suspend())
        again, names = run(EXPERT, suspended, EXPERT.ask("reinstate", Review(now)))
        assert (again.status, names) == ("screening", ["ExpertReinstated", "ExpertScreeningReopened"])


AGAIN = EXPERT.ask("screen-again", reason="mistaken_entry")
APPEAL = EXPERT.ask("appeal", ground="facts", note="It is a diploma.")
UPHOLD, DISMISS = (EXPERT.ask(verb, reason="facts_established") for verb in ("uphold-appeal", "dismiss-appeal"))


def test_who_was_screened_is_screened_again_for_a_reason() -> None:
    for before in (screen(), screen("education")):
        state, names = run(EXPERT, registered(), before, AGAIN, screen())
        assert (state.status, state.criteria, state.reason) == ("eligible", (), None)
        assert names[-2:] == ["ExpertScreeningReopened", "ExpertDeclaredEligible"]
    for state in (registered(), run(EXPERT, registered(), ASK)[0], run(EXPERT, registered(), suspend())[0]):
        assert rule_of(EXPERT, state, AGAIN) == "illegal_transition"


def test_an_appeal_leads_back_to_screening_or_is_dismissed() -> None:
    for decision, against in ((screen("education"), "ineligible"), (suspend(), "suspended")):
        pending, _ = run(EXPERT, registered(), decision, APPEAL)
        assert (pending.status, pending.against, pending.appeal) == ("appealed", against, "pending")
        assert (pending.ground, pending.appealed_at) == ("facts", NOW)
        assert rule_of(EXPERT, pending, APPEAL) == "illegal_transition"
        upheld, _ = run(EXPERT, pending, UPHOLD)
        assert (upheld.status, upheld.appeal, upheld.resumes) == ("screening", "upheld", None)
        dismissed, _ = run(EXPERT, pending, DISMISS)
        assert (dismissed.status, dismissed.appeal, dismissed.reason) == ("dismissed", "dismissed", "facts_established")
        assert rule_of(EXPERT, dismissed, APPEAL) == "illegal_transition"
        assert run(EXPERT, dismissed, AGAIN)[0].status == "screening"
    assert rule_of(EXPERT, run(EXPERT, registered(), screen())[0], APPEAL) == "illegal_transition"


def test_an_appeal_comes_by_the_last_day_that_the_decision_named() -> None:
    for decision in (screen("education"), suspend()):
        state, _ = run(EXPERT, registered(), decision)
        assert state.appeal_until == UNTIL
        late = state.model_copy(update={"appeal_until": NOW})
        assert rule_of(EXPERT, late, APPEAL) == "appeal_too_late"
        # A decision from before there were appeals named no day.
        assert run(EXPERT, state.model_copy(update={"appeal_until": None}), APPEAL)[0].status == "appealed"
    ineligible, _ = run(EXPERT, registered(), screen("education"))
    back = EXPERT.ask("reinstate", Review(("education",)))
    assert run(EXPERT, ineligible, suspend(), back)[0] == ineligible


def test_the_last_day_of_an_appeal_is_a_whole_day_of_the_office() -> None:
    kabul = zone("Asia/Kabul")
    evening = datetime(2007, 3, 5, 20, tzinfo=UTC)
    assert appeals.until(evening, kabul, 1) == datetime(2007, 3, 8, tzinfo=kabul)
    assert appeals.until(evening - timedelta(hours=1), kabul, 1) == datetime(2007, 3, 7, tzinfo=kabul)


@pytest.mark.parametrize(
    ("attributes", "broken"),
    [
        ({"birth_year": 2100}, {"birth_year": "born_after_valid_from"}),
        ({"birth_year": 2008}, {"birth_year": "born_after_valid_from"}),
        ({"birth_year": 2007}, {}),
        ({"birth_year": 1900, "experience_years": 80}, {}),
        ({"birth_year": 2001, "experience_years": 25}, {"experience_years": "experience_beyond_a_life"}),
        ({"birth_year": 1982, "experience_years": 13}, {}),
        ({"birth_year": 1982, "experience_years": 14}, {"experience_years": "experience_beyond_a_life"}),
        ({"birth_year": 1991, "education": 8}, {}),
        ({"birth_year": 1992, "education": 8}, {"education": "education_beyond_a_life"}),
        ({"birth_year": 2006, "education": 0, "experience_years": 0}, {}),
        ({"experience_years": 80, "education": 8}, {}),
        (
            {"birth_year": 1999, "education": 1, "experience_years": 1},
            {"education": "education_beyond_a_life", "experience_years": "experience_beyond_a_life"},
        ),
    ],
)
def test_years_of_birth_work_and_school_fit_into_one_life(attributes: dict[str, Any], broken: dict[str, str]) -> None:
    assert beyond_a_life(Attributes(**attributes), date(2007, 3, 5)) == broken
    assert set(broken.values()) <= set(RULES)


def test_nobody_is_older_than_anybody_ever_was() -> None:
    found = beyond_a_life(Attributes(birth_year=1900), date(2026, 1, 1))
    assert found == {"birth_year": "age_beyond_a_life"}


def test_an_institution_moves_only_along_its_arrows() -> None:
    propose = INSTITUTION.ask("create", WHOSE, **PROPOSED)
    state, _ = run(INSTITUTION, None, propose)
    assert (state.status, state.account, state.registered_at) == ("proposed", WHOSE, NOW)
    assert rule_of(INSTITUTION, state, propose) == "already_registered"
    assert rule_of(INSTITUTION, state, INSTITUTION.ask("activate")) == "illegal_transition"
    road = [INSTITUTION.ask(verb) for verb in ("assess", "accept-partner", "activate")]
    active, _ = run(INSTITUTION, state, *road)
    held, _ = run(INSTITUTION, active, INSTITUTION.ask("put-on-hold", reason="relocating"))
    assert (held.status, held.reason) == ("on_hold", "relocating")
    again, _ = run(INSTITUTION, held, INSTITUTION.ask("activate"))
    assert (again.status, again.reason) == (active.status, None)
    closed, _ = run(INSTITUTION, again, INSTITUTION.ask("close", reason="merged"))
    assert rule_of(INSTITUTION, closed, INSTITUTION.ask("close", reason="merged")) == "illegal_transition"


def test_a_refusal_says_what_would_be_possible() -> None:
    state, _ = run(INSTITUTION, None, INSTITUTION.ask("create", **PROPOSED))
    with pytest.raises(Refusal) as raised:
        INSTITUTION.decide(state, INSTITUTION.ask("activate"), NOW)
    assert raised.value.detail == "possible from on_hold, partner; the case is proposed"


def test_another_account_comes_to_stand_for_a_person_or_an_institution() -> None:
    other = derived_id("other")
    assign = {"account": "somebody@example.org", "reason": "first_sign_in"}
    state, names = run(PERSON, recorded(), PERSON.ask("assign-account", other, **assign))
    assert (state.account, names) == (other, ["PersonAccountAssigned"])
    assert rule_of(PERSON, state, PERSON.ask("assign-account", other, **assign)) == "account_unchanged"
    proposed, _ = run(INSTITUTION, None, INSTITUTION.ask("create", WHOSE, **PROPOSED))
    road = [INSTITUTION.ask(verb) for verb in ("assess", "accept-partner", "activate")]
    held, _ = run(INSTITUTION, proposed, *road, INSTITUTION.ask("put-on-hold", reason="relocating"))
    after, names = run(INSTITUTION, held, INSTITUTION.ask("assign-account", other, **assign))
    assert (after.account, after.reason, after.status) == (other, "relocating", "on_hold")
    assert names == ["InstitutionAccountAssigned"]


def test_a_change_of_identity_is_one_at_a_time_and_corrects_the_year_of_birth_on_every_day() -> None:
    asked = PERSON.ask("request-identity-change", birth_year=1970, reason="mistaken_entry")
    confirm = PERSON.ask("confirm-identity-change", reason="document_seen")
    refuse = PERSON.ask("refuse-identity-change", reason="not_proven")
    two, _ = run(PERSON, recorded(birth_year=1971), correct(entry("2", "2008-01-01", birth_year=1971, education=6)))
    assert {rule_of(PERSON, two, one) for one in (confirm, refuse)} == {"identity_change_not_asked"}
    waiting, names = run(PERSON, two, asked)
    assert (waiting.identity_change, names, waiting.entries) == ("pending", ["IdentityChangeRequested"], two.entries)
    assert rule_of(PERSON, waiting, asked) == "identity_change_pending"
    new = [
        entry(f"{day}", day.isoformat(), **known.model_dump()) for day, known in timeline.born_in(waiting.entries, 1970)
    ]
    done, names = run(PERSON, waiting, Asked(confirm.verb, confirm.body, new))
    assert names == ["IdentityChangeConfirmed", "Profile", "ProfileChanged", "ProfileChanged"]
    found = [attributes_on(done.entries, date.fromisoformat(day)) for day in ("2007-12-31", "2008-01-01")]
    assert [(one.birth_year, one.education) for one in found if one] == [(1970, None), (1970, 6)]
    assert (done.identity_change, done.identity_reason) == ("confirmed", "document_seen")
    # A name or a document alone leaves the timeline as it is; a refused change may be asked for again.
    assert run(PERSON, waiting, confirm)[1] == ["IdentityChangeConfirmed"]
    again, names = run(PERSON, waiting, refuse, asked)
    assert (again.identity_change, names) == ("pending", ["IdentityChangeRefused", "IdentityChangeRequested"])
    full = waiting.model_copy(update={"entries": two.entries * (timeline.ENTRIES_AT_MOST // 2)})
    assert rule_of(PERSON, full, Asked(confirm.verb, confirm.body, new)) == "timeline_full"


def published(definition: dict[str, Any]) -> Asked:
    return PROGRAMME.ask("publish", definition, definition=definition)


def test_a_definition_that_says_nothing_new_is_no_version() -> None:
    state, names = run(PROGRAMME, None, published({"code": "p", "a": 1}))
    assert (state.definition_version, names) == (1, ["ProgrammePublished"])
    assert PROGRAMME.scope(state).programme_version == 1
    assert run(PROGRAMME, state, published({"code": "p", "a": 1}))[1] == []
    assert run(PROGRAMME, state, published({"code": "p", "a": 2}))[0].definition_version == 2


def test_the_content_of_an_older_version_is_a_further_version() -> None:
    """Published again after others, it becomes the next one; what the newest says already is none."""
    state = None
    for a in (1, 2, 3, 4, 5, 2):
        state, names = run(PROGRAMME, state, published({"code": "p", "a": a}))
        assert names == ["ProgrammePublished"]
    assert (state.definition_version, state.definition["a"]) == (6, 2)
    assert run(PROGRAMME, state, published({"code": "p", "a": 2}))[1] == []


def offices(*codes: str, continued: tuple[str, ...] = ()) -> Asked:
    listed = [{"code": code, "predecessors": list(continued) if code == codes[-1] else []} for code in codes]
    return published({"code": "p", "offices": listed})


def test_no_office_is_dropped_and_a_renamed_one_names_its_predecessor() -> None:
    state, _ = run(PROGRAMME, None, offices("kabul", "herat"))
    with pytest.raises(Refusal) as raised:
        PROGRAMME.decide(state, offices("herat"), NOW)
    refused = raised.value
    assert (refused.rule, refused.status, refused.problems[0].pointer) == ("office_dropped", 422, "/definition/offices")
    assert "kabul" in refused.detail
    renamed, _ = run(PROGRAMME, state, offices("herat", "kabul-city", continued=("kabul",)))
    assert renamed.definition_version == 2
    for gone in (offices("herat", "kabul-city"), offices("herat")):
        with pytest.raises(Refusal, match="office_dropped"):
            PROGRAMME.decide(renamed, gone, NOW)


def test_a_number_is_held_by_one_person() -> None:
    documents.admit({}, {}, {})
    with pytest.raises(Refusal) as raised:
        documents.admit({}, {"somebody": {"claim": {}}}, {})
    assert raised.value.rule in documents.NOT_THEIRS
    guard = {"holds": {"one": {"status": "released"}, "other": {"status": "confirmed"}, "third": {"status": "refused"}}}
    assert [documents.holder_of(one) for one in (None, {"holds": {}}, guard)] == [None, None, "other"]
    standing = (None, {"state": None}, {"state": {"status": "recorded"}}, {"state": {"status": "erased"}})
    assert [documents.usage(one) for one in standing] == ["pending", "pending", "used", "spent"]


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
    sent = copy.deepcopy(REGISTRATION)
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
        {"given_name": "a\u0007b"},
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


@pytest.mark.parametrize(
    ("attributes", "pointer", "rule"),
    [
        ({"nationality": "QQ"}, "nationality", "country_unknown"),
        ({"nationality": "XXD"}, "nationality", "string_pattern_mismatch"),
        ({"nationality": "NL", "other_nationalities": ["AF", "NL"]}, "other_nationalities/1", "nationality_repeated"),
        ({"nationality": "NL", "other_nationalities": ["AF", "AF"]}, "other_nationalities/1", "nationality_repeated"),
        ({"nationality": "NL", "other_nationalities": ["QQ"]}, "other_nationalities/0", "country_unknown"),
        ({"nationality": "NL", "other_nationalities": ["XXA"]}, "other_nationalities/0", "string_pattern_mismatch"),
        ({"nationality": "NL", "other_nationalities": ["AF"] * 9}, "other_nationalities", "too_long"),
        ({"nationality": "XXA", "other_nationalities": ["AF"]}, "other_nationalities", "without_a_state"),
        ({"other_nationalities": ["AF"]}, "nationality", "nationality_missing"),
        ({"country_of_residence": "CS"}, "country_of_residence", "country_unknown"),
        ({"country_of_residence": "QQ"}, "country_of_residence", "country_unknown"),
        ({"country_of_origin": "QQ"}, "country_of_origin", "country_unknown"),
        ({"country_of_origin": "XXA"}, "country_of_origin", "string_pattern_mismatch"),
        ({"occupation": "9999"}, "occupation", "occupation_unknown"),
        ({"languages": [{"language": "und", "level": "B1"}]}, "languages/0/language", "language_unknown"),
        (
            {"languages": [{"language": one, "level": "B1"} for one in ("en", "haz", "eng")]},
            "languages/2/language",
            "language_repeated",
        ),
    ],
)
def test_a_code_that_does_not_exist_is_refused_at_its_field(
    attributes: dict[str, Any], pointer: str, rule: str
) -> None:
    with pytest.raises(Refusal) as raised:
        validated(ExpertRegistration, body(attributes=attributes))
    (problem,) = raised.value.problems
    assert (problem.pointer, problem.rule) == (f"/person/attributes/{pointer}", rule)
    assert not any(code in problem.detail for code in ("QQ", "9999", "und"))


def test_two_unknown_codes_are_two_refusals_that_say_what_is_expected() -> None:
    with pytest.raises(Refusal) as raised:
        validated(ExpertRegistration, body(attributes={"nationality": "QQ", "country_of_residence": "YU"}))
    said = {problem.pointer.rsplit("/", 1)[1]: problem.detail for problem in raised.value.problems}
    assert said.keys() == {"nationality", "country_of_residence"}
    assert "XXA (stateless)" in said["nationality"]
    assert "ISO 3166-1" in said["country_of_residence"]


@pytest.mark.parametrize(
    "known",
    [
        {"nationality": "AF", "other_nationalities": ["NL", "SU"]},
        {"nationality": "XXA"},
        {"nationality": "XXB"},
        {"nationality": "CS", "country_of_origin": "YU", "country_of_residence": "XK"},
        {"languages": [{"language": one, "level": "C2"} for one in ("prs", "haz", "kri", "en")]},
    ],
)
def test_several_nationalities_statelessness_former_states_and_rarer_languages_are_accepted(
    known: dict[str, Any],
) -> None:
    held = validated(ExpertRegistration, body(attributes=known)).person.attributes
    assert held.model_dump(mode="json", include=set(known)) == known


def test_a_document_may_be_of_a_state_that_is_gone() -> None:
    document = {"type": "passport", "country": "CS", "number": "X0000000"}
    held = validated(ExpertRegistration, body(document=document)).person.document
    assert held is not None
    assert held.country == "CS"


def test_attributes_come_with_their_day() -> None:
    with pytest.raises(Refusal):
        validated(ProvidedInfo, b'{"valid_from":"2007-03-05"}')
    assert validated(ProvidedInfo, b"{}").attributes is None


def test_a_withdrawn_case_keeps_what_it_had_come_to_and_never_moves_again() -> None:
    withdraw = EXPERT.ask("withdraw", reason="person_erased")
    for before, said in (("eligible", ()), ("ineligible", ("age",))):
        state, _ = run(EXPERT, None, create(), screen(*said), suspend())
        state, names = run(EXPERT, state, withdraw, withdraw)
        assert names == ["ExpertWithdrawn"]
        assert (state.status, state.resumes, state.criteria) == ("withdrawn", before, ())
        assert rule_of(EXPERT, state, EXPERT.ask("screen-again", reason="new_evidence")) == "illegal_transition"
