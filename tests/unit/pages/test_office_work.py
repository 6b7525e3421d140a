"""What officers and hosts see before they decide: criteria and steps one by one, days, links that lead somewhere."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.placement.app import build as build_placement
from services.placement.store import COLLECTIONS as OF_PLACEMENT
from services.placement.store import SHADOWS as SHADOWS_OF_PLACEMENT
from services.registration.app import build
from services.registration.domain.examples import DEFINITION
from services.registration.store import COLLECTIONS, SHADOWS
from shared.clock import derived_id
from shared.replica import stored
from shared.web.pages.days import on_their_days
from shared.web.pages.forms import Field, Posted
from tests.integration.test_placement_http import PATH, active, confirmed, contracted, done
from tests.integration.test_registration_http import registered
from tests.unit.matching.facts import HOST, HOST_ACCOUNT, expert_id
from tests.unit.matching.world import World, match_id
from tests.unit.pages.test_cases import held, reader
from tests.unit.placement import arriving
from tests.unit.registration.serving import Serving

KABUL = ZoneInfo("Asia/Kabul")
DAY = Field("/happened_at", "happened_at", "instant")


def result(page: str) -> list[tuple[str, str]]:
    """Of the table of what is decided by, each name with its result."""
    table = page.partition('<table class="cards">')[2].partition("</table>")[0]
    rows = re.findall(r'<th scope="row">(.*?)</th>.*?<span class="tag[^"]*">([^<]*)</span>', table, re.DOTALL)
    return [(re.sub("<[^>]*>", "", name).strip(), said) for name, said in rows]


@pytest.fixture
async def placement() -> AsyncIterator[Serving]:
    async with Serving("placement", stored(OF_PLACEMENT, SHADOWS_OF_PLACEMENT), build_placement) as serving:
        yield serving


async def test_each_criterion_stands_with_its_value_before_the_decision_and_after_it() -> None:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        await serving.publish(DEFINITION)
        expert, _ = await registered(serving)
        path = f"/registration/experts/{expert}"
        async with reader("registration", serving.service.app, serving.keys, serving.clock) as http:
            form = await http.get(f"{path}/screen")
            before = result(form.text)
            told = (await serving.get(f"/experts/{expert}")).json()
            assert "met_criteria" not in told or told["met_criteria"] == []
            assert (await http.post(f"{path}/screen", data=held(form))).status_code == 303
            page = (await http.get(path)).text
        names = [one["name"]["en"] for one in DEFINITION["selection"]["eligibility"]]
        assert sorted(name for name, _ in before) == sorted(names)
        assert {said for _, said in before} == {"Met"}
        assert result(page) == before
        after = (await serving.get(f"/experts/{expert}")).json()
        declared = {one["criterion"] for one in DEFINITION["selection"]["eligibility"]}
        assert {one["criterion"] for one in after["met_criteria"]} == declared
        assert all("actual" in one for one in after["met_criteria"])
        # Whoever protects data sees neither what is required nor what was stated.
        assert "met_criteria" not in (await serving.get(f"/experts/{expert}", "protection")).json()


async def test_the_steps_that_are_missing_are_named_before_anybody_departs(placement: Serving) -> None:
    day = await confirmed(placement)
    await contracted(placement, day)
    await done(placement, "complete-step", {"step": "insurance", **day.at(21)})
    path = f"/placement{PATH}"
    async with reader("placement", placement.service.app, placement.keys, placement.clock) as http:
        page, form = (await http.get(path)).text, await http.get(f"{path}/depart")
        refused = await http.post(f"{path}/depart", data=held(form))
    steps = [("Pre-departure training", "Still to be done"), ("Insurance", "Done")]
    assert [result(one) for one in (page, form.text, refused.text)] == [steps] * 3
    assert refused.status_code == 409
    # What would be refused is no button: what is still to be done stands first, and is the only full one.
    assert re.findall(r'<a class="button" href="[^"]*/([a-z-]*)"', page) == ["complete-step"]
    assert f'href="{path}/depart"' not in page
    shut = re.sub("<[^>]*>", "", page.partition("What is not possible now")[2].partition("</details>")[0])
    assert "Record the departure" in shut
    assert (await placement.get(PATH)).json()["steps_missing"] == ["training"]
    detail = (await placement.post(f"{PATH}/depart", "officer")).json()["detail"]
    assert "training" in detail
    assert "insurance" not in detail
    # What happened says which step it was, to everybody who reads the case.
    told = (await placement.get(f"{PATH}/timeline", "host", subject="college")).json()["items"]
    assert [one.get("step") for one in told if one["fact"] == "PreparationStepCompleted"] == ["insurance"]
    assert "Preparation step: Insurance" in re.sub("<[^>]*>", "", page)


async def test_steps_are_offered_that_this_case_may_still_need_and_one_that_it_does_not_is_said_so(
    placement: Serving,
) -> None:
    day = await confirmed(placement)
    await contracted(placement, day)
    await done(placement, "complete-step", {"step": "training", **day.at(20)})
    path = f"/placement{PATH}"
    async with reader("placement", placement.service.app, placement.keys, placement.clock) as http:
        form = await http.get(f"{path}/complete-step")
        offered = re.findall(r'name="/step" value="([a-z]+)"[^>]*> <span>([^<]*)', form.text)
        marked = "(only if this case needs it)"
        assert [(code, marked in words) for code, words in offered] == [
            ("insurance", False),
            ("visa", True),
            ("security", True),
            ("ticket", True),
        ]
        sent = {**held(form), "/step": "insurance", "/settled": "not_needed"}
        assert (await http.post(f"{path}/complete-step", data=sent)).status_code == 303
        page = (await http.get(path)).text
    assert result(page) == [("Pre-departure training", "Done"), ("Insurance", "Does not apply to this case")]
    assert "Preparation step: Insurance · Does not apply to this case" in re.sub("<[^>]*>", "", page)
    read = (await placement.get(PATH)).json()
    assert (read["steps_missing"], read["steps_not_needed"]) == ([], ["insurance"])
    assert "depart" in read["open"]


async def test_a_host_says_on_which_day_somebody_arrived(placement: Serving) -> None:
    day = await confirmed(placement)
    await contracted(placement, day)
    for number, step in enumerate(("training", "insurance")):
        await done(placement, "complete-step", {"step": step, **day.at(20 + number)})
    await done(placement, "depart", day.at(99))
    path, account = f"/placement{PATH}/confirm-arrival", placement.account("college")
    app, keys, clock = placement.service.app, placement.keys, placement.clock
    async with reader("placement", app, keys, clock, "host", account=account) as host:
        form = await host.get(path)
        assert 'name="/happened_at/day"' in form.text
        sent = held(form)
        early = await host.post(path, data={**sent, "/happened_at": day.date(98)})
        assert early.status_code == 409
        wrong = re.search(r'<p class="error"[^>]*>([^<]*before the last entry[^<]*)', early.text)
        last = datetime.fromisoformat(day.at(99)["happened_at"]).astimezone(KABUL)
        assert wrong is not None
        assert f"{last.day} {last:%B %Y}" in wrong[1]
        assert "the office can correct it" in wrong[1]
        arrived = await host.post(path, data={**sent, "/happened_at": day.date(101)})
        assert arrived.status_code == 303, arrived.text
    told = (await placement.get(f"{PATH}/timeline")).json()["items"][0]
    at = datetime.fromisoformat(told["at"]).astimezone(KABUL)
    assert (told["fact"], at.date().isoformat(), "recorded_at" in told) == ("ReturnStarted", day.date(101), True)


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("2026-03-01", "2026-03-01T19:29:59.999999Z"),
        ("٢٠٢٦-٠٣-٠١", "2026-03-01T19:29:59.999999Z"),
        ("2026-03-05", ""),
        ("2026-03-06", "2026-03-06T19:29:59.999999Z"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("9999-12-31", "9999-12-31"),
        ("yesterday", "yesterday"),
    ],
)
def test_a_day_is_as_late_on_it_as_it_can_have_been_and_today_is_now(typed: str, becomes: str) -> None:
    # In Kabul it is the fifth already.
    now = datetime(2026, 3, 4, 20, tzinfo=UTC)
    found = on_their_days((DAY,), Posted({DAY.pointer: (typed,)}), KABUL, now)
    assert found.text(DAY.pointer) == becomes


async def test_an_id_is_a_link_only_where_this_service_knows_that_its_reader_may_follow_it() -> None:
    """A case of another service is led to by the part of the page that this service gives to the reader alone."""
    async with World() as world:
        assignment = await world.shortlisted(["ada", "bea", "cem"])
        path = f"/matching/matches/{match_id(assignment, 'ada')}"
        async with reader("matching", world.service.app, world.keys, world.clock) as officer:
            page, listed = (await officer.get(path)).text, (await officer.get("/matching/matches")).text
    assert f'<a href="/matching/assignments/{assignment}">' in page
    assert f'<a href="/matching/assignments/{assignment}">' in listed
    assert re.findall(r'<a [^>]*href="/registration/(?!pass)', page + listed) == []
    assert len(re.findall(r'<iframe class="part" src="/registration/(?:experts|persons|institutions)/', page)) == 3


async def test_the_part_of_a_person_has_the_profile_that_somebody_is_chosen_by() -> None:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        await serving.publish(DEFINITION)
        _, person = await registered(serving)
        how = (serving.service.app, serving.keys, serving.clock)
        path = f"/registration/persons/{person}/part"
        async with (
            reader("registration", *how) as officer,
            reader("registration", *how, office="sarajevo") as stranger,
        ):
            own, others = re.sub("<[^>]*>", " ", (await officer.get(path)).text), (await stranger.get(path)).text
            newest = (await officer.get("/registration/persons?order=newest")).status_code
            contact = (await officer.get(f"/registration/persons/{person}/set-contact")).text
        assert all(label in own for label in ("Occupation", "Languages", "Sector", "experience"))
        assert not any(label in own for label in ("Sex", "Nationality", "Year of birth"))
        assert ("Occupation" in others, newest) == (False, 200)
        # The form begins with how the person is written to now.
        assert re.search(r'value="at_once" (checked|selected)', contact)


@pytest.mark.parametrize("days", [0, 3])
def test_a_day_of_a_fact_that_must_have_one_is_said(days: int) -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    required = Field("/happened_at", "happened_at", "instant", required=True)
    typed = (now - timedelta(days=days)).date().isoformat()
    found = on_their_days((required,), Posted({required.pointer: (typed,)}), UTC, now).text(required.pointer)
    assert found.startswith(typed)
    assert datetime.fromisoformat(found) <= now + timedelta(days=1 - min(days, 1))


async def test_a_shortlist_is_chosen_from_those_who_are_open_to_the_office_and_a_reference_is_taken_too() -> None:
    async with World() as world:
        await world.others.host()
        for place, name in enumerate(("ada", "bea", "cem")):
            await world.others.expert(name, experience_years=12 - place)
        await world.others.expert("far", office="tbilisi")
        await world.run()
        assignment = await world.assignment()
        path = f"/matching/assignments/{assignment}/shortlist"
        async with reader("matching", world.service.app, world.keys, world.clock) as officer:
            form = await officer.get(path)
            offered = re.findall(
                r'type="checkbox" name="/experts" value="([^"]*)"(?: checked)?> <span>([^<]*)<', form.text
            )
            # The best stands first; of another office nobody is named, and who is typed is chosen like the others.
            assert [id for id, _ in offered] == [expert_id(name) for name in ("ada", "bea", "cem")]
            assert [re.findall(r"Score: (\d+)", words) for _, words in offered] == [["100"]] * 3 or "Score" in offered[
                0
            ][1]
            sent = {
                **held(form),
                "/experts": [expert_id("ada"), expert_id("bea")],
                "/override_reason": "few_candidates",
            }
            wrong = await officer.post(path, data={**sent, "/experts": [expert_id("ada"), expert_id("far")]})
            assert wrong.status_code == 409
            assert f"{expert_id('far')[:8]}: " in wrong.text
            assert re.search(rf'value="{expert_id("far")}" checked', wrong.text)
            more = await officer.post(path, data={**sent, "more": "/experts"})
            assert len(re.findall(r'name="/experts" value="[^"]*" checked', more.text)) == 2
            done = await officer.post(path, data=sent)
            assert done.status_code == 303, done.text
        await world.run()
        assert await world.states(assignment, "ada", "bea") == ["shortlisted", "shortlisted"]
        async with reader("matching", world.service.app, world.keys, world.clock) as officer:
            again = (await officer.get(path)).text
        assert re.findall(r'type="checkbox" name="/experts" value="([^"]*)"', again) == [expert_id("cem")]


async def test_a_vacancy_says_what_kind_of_host_it_is_and_names_no_id_of_it() -> None:
    async with World() as world:
        await world.others.host()
        await world.run()
        assignment = await world.assignment()
        how = ("matching", world.service.app, world.keys, world.clock)
        async with reader(*how, "expert") as expert, reader(*how) as officer:
            pages = [(await one.get(f"/matching/vacancies/{assignment}")).text for one in (expert, officer)]
    assert [HOST[:8] in re.sub("<[^>]*>", "", page) for page in pages] == [False, False]
    assert ["/registration/institutions/" in page for page in pages] == [False, True]
    assert all("Public" in page for page in pages)


async def test_who_applied_stands_on_the_form_of_the_shortlist_with_the_score() -> None:
    async with World() as world:
        await world.others.host()
        for place, name in enumerate(("ada", "bea")):
            await world.others.expert(name, experience_years=12 - place)
        await world.run()
        assignment = await world.assignment()
        await world.apply(assignment, "bea")
        await world.run()
        path = f"/matching/assignments/{assignment}"
        async with reader("matching", world.service.app, world.keys, world.clock) as officer:
            form, page = (await officer.get(f"{path}/shortlist")).text, (await officer.get(path)).text
            short = await officer.post(f"{path}/shortlist", data=held(await officer.get(f"{path}/shortlist")))
            chosen = {**held(await officer.get(f"{path}/shortlist")), "/override_reason": "few_candidates"}
            assert (await officer.post(f"{path}/shortlist", data=chosen)).status_code == 303
        await world.run()
        assert await world.states(assignment, "bea") == ["shortlisted"]
    # Whoever stands on the longlist is ranked whether they are named or not, so nobody ticks them.
    assert re.findall(r"checked disabled> <span>(\w{8}) [^<]*Score: \d+<", form) == [expert_id("bea")[:8]]
    assert re.findall(r'type="checkbox" name="/experts" value="([^"]*)"', form) == [expert_id("ada")]
    assert f'href="/matching/matches?assignment={assignment}"' in page
    assert short.status_code == 409
    (field,) = re.findall(r'<div class="problem".*?<a href="#([^"]*)">', short.text, re.DOTALL)
    assert field == "f-override_reason"
    assert f'id="{field}"' in short.text


async def test_a_shortlist_of_nobody_is_refused_where_people_are_chosen() -> None:
    async with World() as world:
        await world.others.host()
        await world.run()
        path = f"/matching/assignments/{await world.assignment()}/shortlist"
        async with reader("matching", world.service.app, world.keys, world.clock) as officer:
            sent = {**held(await officer.get(path)), "/override_reason": "few_candidates"}
            refused = await officer.post(path, data=sent)
    assert (refused.status_code, 'href="#f-experts"' in refused.text) == (409, True)


async def test_the_host_of_an_assignment_is_chosen_from_those_that_may_be_or_named_by_the_whole_reference() -> None:
    others = {name: derived_id("host", name) for name in ("another", "proposed")}
    async with World() as world:
        await world.others.host()
        await world.others.host(others["another"])
        await world.others.host(others["proposed"], active=False)
        await world.run()
        how = ("matching", world.service.app, world.keys, world.clock)
        path = "/matching/assignments/new/create"
        async with reader(*how) as officer, reader(*how, office="tbilisi") as stranger:
            form, far = await officer.get(path), (await stranger.get(path)).text
            typed = {**held(form), "/terms/institution": [HOST, others["proposed"]]}
            again = (await officer.post(path, data=typed)).text
        async with reader(*how, "host", account=HOST_ACCOUNT) as host:
            own = (await host.get(path)).text
    of = re.compile(r'type="radio" name="/terms/institution" value="([^"]*)"( checked)?> <span>([^<]*)<')
    assert {id for id, _, _ in of.findall(form.text)} == {HOST, others["another"]}
    assert all(words.startswith(f"{id[:8]} · ") and "Public" in words for id, _, words in of.findall(form.text))
    assert of.findall(far) == []
    # What is typed goes before what is chosen, and is seen as what was sent.
    assert [id for id, checked, _ in of.findall(again) if checked] == [others["proposed"]]
    assert [(id, checked) for id, checked, _ in of.findall(own)] == [(HOST, " checked")]
    assert "An institution is registered first" not in own + form.text


@pytest.mark.parametrize("registered", [True, False])
async def test_a_host_is_told_before_the_form_that_the_institution_is_not_active(registered: bool) -> None:
    async with World(hosted=False) as world:
        if registered:
            await world.others.host(active=False)
        await world.run()
        how = ("matching", world.service.app, world.keys, world.clock)
        async with reader(*how, "host", account=HOST_ACCOUNT) as host:
            page = (await host.get("/matching/assignments/new/create")).text
    before = page.partition('<form method="post" action="/matching/')[0]
    assert "An institution is registered first" in before
    assert f'href="/registration/institutions/{HOST if registered else "new/create"}"' in before


async def test_what_has_its_day_is_no_button_before_it(placement: Serving) -> None:
    day = await confirmed(placement, first=310)
    await done(placement, "contract", {"starts_on": day.date(310), "ends_on": day.date(400), **day.at(10)})
    pages, listed = [await as_host(placement)], []
    for number, step in enumerate(("training", "insurance")):
        await done(placement, "complete-step", {"step": step, **day.at(20 + number)})
    await done(placement, "depart", day.at(297))
    pages.append(await as_host(placement))
    listed.append(await as_host(placement, "/placement/today"))
    placement.clock.ahead = timedelta(days=11)
    pages.append(await as_host(placement))
    listed.append(await as_host(placement, "/placement/today"))
    assert [acts(one) for one in pages] == [[], [], ["confirm-arrival", "report-no-show"]]
    for verb, page in (("Report that nobody arrived", pages[0]), ("Confirm arrival", pages[1])):
        shut = rf'<span class="shut">{verb}</span>[^<]*Possible from <time datetime="{day.date(310)}">'
        assert re.search(shut, page)
    # Whom it waits for, and from when on: nobody is told that a case waits for what would be refused.
    waits = [re.sub("<[^>]*>", "", one.partition("<dt>Waits for</dt>")[2].partition("</dd>")[0]) for one in pages]
    first = datetime.fromisoformat(day.at(310)["happened_at"])
    assert waits[1:] == [f"You, from {first.day} {first:%B %Y}", "You"]
    assert [arriving.placement()[:8] in one for one in listed] == [False, True]
    early = await placement.post(f"{PATH}/report-no-show", "host", day.at(299), subject="college")
    assert (early.status_code, early.json()["rule"]) == (409, "no_show_before_start")


async def test_a_report_is_read_before_it_is_accepted_and_says_who_wrote_it_to_whom(placement: Serving) -> None:
    day = await confirmed(placement)
    await active(placement, day)
    for text in ("Nine midwives\nof Kunduz were trained.", "Nine more followed."):
        sent = await placement.post(f"{PATH}/submit-report", "expert", {"text": text}, subject="me")
        assert sent.status_code == 200, sent.text
    how = (placement.service.app, placement.keys, placement.clock)
    async with reader("placement", *how) as officer:
        page, form = [(await officer.get(f"/placement{PATH}{path}")).text for path in ("", "/accept-report")]
    async with reader("placement", *how, "expert", account=placement.account("me")) as expert:
        own = (await expert.get(f"/placement{PATH}")).text
    above = page.partition("What you can do")[0]
    for shown in (above, form.partition('<form method="post" action="/placement/')[0]):
        assert all(text in shown for text in ("Nine midwives\nof Kunduz were trained.", "Nine more followed."))
        assert "Submit a report · written by: Expert" in shown
    assert "Submit a report · written by: Expert · read by: Programme office" in page
    assert "read by: Expert" not in page
    assert "Messages of the office" not in own
    assert "Nine more followed." in own.partition("What you wrote to the office")[2]
    notes = (await placement.get(PATH)).json()["notes"]
    assert [one["by"] for one in notes] == ["expert", "expert"]


async def as_host(placement: Serving, path: str = f"/placement{PATH}") -> str:
    how = (placement.service.app, placement.keys, placement.clock, "host")
    async with reader("placement", *how, account=placement.account("college")) as host:
        return (await host.get(path)).text


def acts(page: str) -> list[str]:
    return re.findall(r'<a class="button[^"]*" href="[^"]*/([a-z-]*)"', page)
