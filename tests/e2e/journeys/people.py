"""The journeys, a tuple of steps each: what people do, in their order, on which pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

from services.registration.work.reminding import Stops
from shared.identity.keys import Keys
from tests.e2e.edge_world import OFFICE, PROGRAMME, asking_hosts, running_programme, terms
from tests.e2e.journeys.steps import (
    acts,
    creates,
    enters,
    follows,
    is_a_file,
    leads,
    links_lead_somewhere,
    opens,
    presses,
    says,
    sends,
    shows,
    stands,
    told,
    without,
)
from tests.e2e.journeys.walking import SEND, Step, Walk

# The subject under which the development system lets a host in.
HOST_ACCOUNT = "host@all"
HOST, OFFICER, EVALUATOR, PROTECTION = "host@", f"officer@{OFFICE}", "evaluator@", "protection@"
APPLICANT = "whoever applies"
PART = "/registration/application/part"

NAMES = {
    "/person/given_name": "Zqana",
    "/person/family_name": "Qasmi {unique}",
    "/person/born/year": "1971",
    "/person/attributes/sex": "female",
}
EMAIL = "{unique}@example.org"
CONTACT = {
    "/person/email": EMAIL,
    "/person/telephone": "020 7946 0018",
    "/person/attributes/country_of_residence": "NL",
    "reminds": "yes",
}
BACKGROUND = {
    "/person/attributes/nationality": "NL",
    "/person/attributes/country_of_origin": "AF",
    "/person/attributes/residence_status": "citizen",
    "/person/attributes/education": "7",
    "/person/attributes/occupation": "2310",
    "/person/attributes/experience_years": "12",
    "/person/attributes/sector": "education",
    "/person/attributes/languages/0/language": "en",
    "/person/attributes/languages/0/level": "B2",
}
CHOICE = {"/office": OFFICE, "/consents": "placement"}
TERMS = {
    "/programme": PROGRAMME,
    "/office": OFFICE,
    "/terms/country": "AF",
    "/terms/sector": "education",
    "/terms/host_type": "public",
    "/terms/occupation": "2310",
    "/terms/modality": "temporary",
    "/terms/seats": "1",
    "/terms/starts_on": "{starts_on}",
    "/terms/ends_on": "{ends_on}",
    "/terms/languages/0/language": "en",
    "/terms/languages/0/level": "B1",
    "/title": "Training of teachers {unique}",
}
INSTITUTION = {
    "/name": "Zqanary college",
    "/country": "AF",
    "/sector": "education",
    "/host_type": "public",
}
REPORT = {"/text": "Eighteen teachers were trained; they will train their colleagues."}


def begins(walk: Walk) -> None:
    """What every journey finds: days that lie ahead, and a name that nobody else has."""
    said = terms("")
    walk.ids |= {"unique": walk.cell.name, "starts_on": said["starts_on"], "ends_on": said["ends_on"]}


def part(name: str, said: dict[str, str]) -> Step:
    """One part of an application. In the whole form the line, the session and the tab end at each field."""

    def step(walk: Walk) -> None:
        reader, cell = walk.reader, walk.cell
        follows(f"a[href='{PART}/{name}']", "application_part")(walk)
        if cell.whole and cell.use == "script":
            _ended_at_each(walk, name, said)
        else:
            says(said, faults=False)(walk)
        reader.fill("done", "yes")
        if cell.whole and cell.use == "plain":
            reader.line_killed({})
            reader.page.reload()
        else:
            reader.send(303)
        reader.page.wait_for_url("**/registration/application")

    return step


def _ended_at_each(walk: Walk, name: str, said: dict[str, str]) -> None:
    reader, so_far = walk.reader, dict[str, str]()
    for field, value in said.items():
        so_far[field] = walk.path(value)
        reader.fill(field, walk.path(value))
        reader.line_killed(so_far)
        reader.session_ended(so_far, "draft_kept", ("sankofa-draft",))
        # What is wrong so far is said, and kept all the same.
        reader.send(303, 422)
        reader.page.goto(f"{walk.town.url}{PART}/{name}")
        assert [one for one, typed in so_far.items() if not reader.shown(one, typed)] == []
    # The tab is closed on a field that nobody has sent.
    first, value = next(iter(said.items()))
    changed = walk.path(value) + " the second" if name == "names" else walk.path(value)
    reader.fill(first, changed)
    if name == "names":
        with reader.page.expect_response(lambda one: one.request.method == "POST"):
            pass
        reader.page.goto("about:blank")
        reader.page.goto(f"{walk.town.url}{PART}/{name}")
        assert reader.shown(first, changed)
        reader.fill(first, walk.path(value))


def recorded(walk: Walk) -> None:
    """The receipt says after a while what became of the application."""
    page = walk.reader.page
    for _ in range(100):
        if page.locator("form[action='/registration/application/enter']").count():
            break
        page.wait_for_timeout(100)
        page.reload()
    walk.reader.look("application_receipt accepted")
    walk.ids["code"] = page.locator("dl.words dd bdi").last.inner_text().strip()


def screened(walk: Walk) -> None:
    people = walk.town.people
    walk.ids["person"] = people.person_of(walk.ids["expert"])
    if people.get(f"/registration/v1/experts/{walk.ids['expert']}").json()["state"] == "screening":
        people.done(f"/registration/v1/experts/{walk.ids['expert']}/screen")


def vacancies(walk: Walk) -> None:
    """Two that the expert may apply to."""
    people = walk.town.people
    institution = people.institution()
    walk.ids |= {name: people.assignment(institution) for name in ("vacancy", "closing")}


def offered(walk: Walk) -> None:
    walk.ids["match"] = walk.town.people.match(walk.ids["vacancy"], walk.ids["expert"], "offered")


def under_way(walk: Walk) -> None:
    """The placement of the match, with the expert at work."""
    people = walk.town.people
    walk.ids["placement"] = people.placement(walk.ids["match"], "active")


def travelling(walk: Walk) -> None:
    people = walk.town.people
    walk.ids["placement"] = people.placement(walk.ids["match"], "travelling")


def completed(walk: Walk) -> None:
    people, path = walk.town.people, f"/placement/v1/placements/{walk.ids['placement']}"
    for verb in ("accept-report", "certify", "complete"):
        people.done(f"{path}/{verb}")


def named(code: str) -> dict[str, Any]:
    """Of a programme beside the one of all: two under one name nobody can tell apart."""
    return {"code": code, "title": {"en": code, "fr": code, "ar": code}}


def programme_that_ends(walk: Walk) -> None:
    """One of the walk's own, to which somebody applies until it is over."""
    code = f"ending-{walk.cell.name}"
    walk.ids["ending"] = code
    walk.town.people.publish(running_programme() | named(code))


def programme_is_over(walk: Walk) -> None:
    """It ends while somebody looks at what was typed; whoever comes to its page then is told so."""
    people, code = walk.town.people, walk.ids["ending"]
    content = running_programme() | named(code)
    ended = (datetime.now(UTC) - timedelta(days=2)).date()
    people.publish(content | {"dates": {**content["dates"], "ends": ended}})
    page = f"/registration/apply/{code}"
    people.eventually(lambda: 'method="post"' not in people.http.get(page).text, "the end of the programme")


def is_told_so(walk: Walk) -> None:
    """The form says when the text was received, and keeps it; there is nothing to send any more."""
    reader = walk.reader
    reader.send(409, button="main form button")
    reader.look("application_check refused")
    assert reader.page.locator("main form").count() == 0
    assert reader.page.locator(".problem a[href^='/registration/application/part']").count() == 0
    address = f"{walk.town.url}/registration/application/download"
    assert b"Zqana" in reader.context.request.get(address).body()


def mailed(walk: Walk) -> None:
    """A link came to the address; its code is called `link`."""
    folder, address = walk.town.people.system.mails, walk.path(EMAIL)

    def link() -> str | None:
        mails = (message_from_bytes(one.read_bytes(), policy=default) for one in folder.glob("*.eml"))
        texts = (mail.get_content() for mail in mails if mail["To"] == address)
        found = (re.search(r"/registration/drafts/([0-9A-Z-]{14})\b", text) for text in texts)
        return next((one[1] for one in found if one), None)

    walk.town.people.eventually(lambda: link() is not None, "the mail with the link")
    walk.ids["link"] = str(link())


def reminded(walk: Walk) -> None:
    """As by a mail, which is sent long after the last edit, and by day."""
    walk.ids["reminders"] = Stops(Keys(walk.town.people.system.keys)).token_of(walk.path(EMAIL))


def lets_in(template: str) -> tuple[Step, ...]:
    """The link that came by mail, on a device that has never seen the application."""
    return (
        opens("/registration/drafts/{link}", "draft_code link"),
        lambda walk: walk.reader.send(200),
        says({"fact": NAMES["/person/family_name"]}, faults=False),
        presses(SEND, 303, template),
    )


THE_WAY_BACK: tuple[Step, ...] = (
    enters("whoever lost the link"),
    opens("/registration/drafts", "draft_code"),
    follows("a[href='/registration/drafts/lost']", "draft_lost"),
    says({"email": EMAIL}, faults=False),
    presses(SEND, 303, "draft_lost_asked"),
    mailed,
    *lets_in("application renewed"),
    # The first device has lost it with the old link.
    enters(APPLICANT),
    opens("/registration/application", "draft_code"),
    *lets_in("application renewed"),
)
APPLYING: tuple[Step, ...] = (
    begins,
    enters(APPLICANT),
    opens(f"/registration/apply/{PROGRAMME}", "apply"),
    presses("main form button", 303, "application"),
    part("names", NAMES),
    part("contact", CONTACT),
    part("background", BACKGROUND),
    part("office", CHOICE),
    *THE_WAY_BACK,
    opens("/registration/application/files", "application_files"),
    opens("/registration/application", "application begun"),
    follows("a[href='/registration/application/check']", "application_check"),
    presses("main form button", 303, "application_receipt"),
    recorded,
    presses("form[action='/registration/application/enter'] button", 303, "today"),
    opens("/registration/experts", "list"),
    follows("tbody a", "case", named="expert"),
)
COMING_BACK: tuple[Step, ...] = (
    enters("the same on another device"),
    opens("/registration/drafts", "draft_code"),
    says({"code": "{code}"}, faults=False),
    lambda walk: walk.reader.send(200),
    says({"fact": NAMES["/person/family_name"]}, faults=False),
    presses(SEND, 303, "application_receipt"),
    enters(APPLICANT),
)
EXPERT: tuple[Step, ...] = (
    *APPLYING,
    screened,
    stands("registration/experts/{expert}", "eligible"),
    opens("/registration/experts/{expert}", "case"),
    links_lead_somewhere(),
    vacancies,
    opens("/matching/vacancies", "vacancies"),
    opens("/matching/vacancies/{closing}", "vacancy"),
    told("/matching/v1/assignments/{closing}/cancel", {"reason": "no_funds"}),
    presses(SEND, 404, "refused vacancy"),
    opens("/matching/vacancies/{vacancy}", "vacancy"),
    presses(SEND, 303, "receipt"),
    offered,
    leads("matching/matches/{match}", "accept"),
    links_lead_somewhere(),
    acts("matching/matches/{match}", "accept"),
    under_way,
    leads("placement/placements/{placement}", "submit-report"),
    acts("placement/placements/{placement}", "submit-report", REPORT),
    completed,
    opens("/placement/placements/{placement}", "case"),
    links_lead_somewhere(),
    is_a_file("main a[hreflang='{language}']", b"%PDF"),
)
CLOSING: tuple[Step, ...] = (
    begins,
    programme_that_ends,
    enters(APPLICANT),
    lambda walk: opens(f"/registration/apply/{walk.ids['ending']}", "apply")(walk),
    presses("main form button", 303, "application"),
    part("names", NAMES),
    part("contact", CONTACT),
    part("background", BACKGROUND),
    part("office", CHOICE),
    reminded,
    opens("/registration/drafts/reminders/{reminders}", "draft_reminders"),
    presses("main form button", 200, "draft_reminders stopped"),
    opens("/registration/application/check", "application_check"),
    programme_is_over,
    is_told_so,
)


def shortlisted(walk: Walk) -> None:
    """Two of whom the host gets one."""
    people = walk.town.people
    experts = [people.expert() for _ in range(2)]
    body = {"experts": experts, "override_reason": "few_candidates"}
    path = f"/matching/v1/assignments/{walk.ids['assignment']}/shortlist"
    people.eventually(lambda: people.post(path, body).is_success, "a shortlist")
    found = people.get(f"/matching/v1/assignments/{walk.ids['assignment']}/shortlist").json
    people.eventually(lambda: len(found()["items"]) == 2, "two on the shortlist")
    walk.ids["match"] = str(found()["items"][0]["id"])


def accepted(walk: Walk) -> None:
    for verb in ("allocate", "offer", "accept"):
        walk.town.people.done(f"/matching/v1/matches/{walk.ids['match']}/{verb}")


def reported(walk: Walk) -> None:
    people, path = walk.town.people, f"/placement/v1/placements/{walk.ids['placement']}"
    people.done(f"{path}/submit-report", {"text": "Done."}, subject="writes")
    people.done(f"{path}/accept-report", subject="reads")


def cancelled_while_typing(walk: Walk) -> None:
    """The office cancels the assignment while the host types: the form comes back with what was typed, and why."""
    reader, id = walk.reader, walk.ids["assignment"]
    reader.open(f"/matching/assignments/{id}/revise", "act")
    reader.fill("/title", "What was typed meanwhile")
    walk.town.people.done(f"/matching/v1/assignments/{id}/cancel", {"reason": "no_funds"})
    reader.send(412)
    reader.look("act conflict")
    assert reader.shown("/title", "What was typed meanwhile")


def asked_about_two(walk: Walk) -> None:
    """Candidates of a programme that asks the host."""
    people, code = walk.town.people, f"asking-{walk.cell.name}"
    people.publish(asking_hosts(code) | named(code))
    assignment = people.assignment(walk.ids["institution"], programme=code, seats=1)
    for name in ("wanted", "unwanted"):
        walk.ids[name] = people.match(assignment, people.expert(programme=code))


def own_institution(walk: Walk) -> None:
    """The one whose assignment the walk has."""
    path = f"/matching/v1/assignments/{walk.ids['assignment']}"
    walk.ids["institution"] = str(walk.town.people.get(path).json()["terms"]["institution"])


def account_offered(walk: Walk) -> None:
    """By another host, who gives its code away."""
    people, how = walk.town.people, {"role": "host", "office": None, "subject": f"leaves {walk.cell.name}"}
    path = f"/registration/v1/institutions/{people.institution(account=how['subject'])}"
    people.done(f"{path}/propose-handover", {"reason": "contact_left"}, **how)
    walk.ids["handover"] = people.get(path, **how).json()["handover"]["code_for_the_other"]


HOSTING: tuple[Step, ...] = (
    begins,
    enters(HOST),
    opens("/today", "today"),
    creates("matching/assignments", "create", TERMS, "assignment"),
    leads("matching/assignments/{assignment}", "submit"),
    acts("matching/assignments/{assignment}", "revise", {"/title": "Training of trainers {unique}"}, faults=False),
    acts("matching/assignments/{assignment}", "submit"),
)
HOST_JOURNEY: tuple[Step, ...] = (
    *HOSTING,
    told(
        "/matching/v1/assignments/{assignment}/request-edits",
        {"items": ["languages"], "note": "Which languages do the teachers speak?"},
    ),
    opens("/matching/assignments/{assignment}", "case"),
    acts("matching/assignments/{assignment}", "submit"),
    told("/matching/v1/assignments/{assignment}/approve", subject="checker"),
    told("/matching/v1/assignments/{assignment}/publish"),
    opens("/matching/assignments/{assignment}", "case"),
    links_lead_somewhere(),
    shortlisted,
    opens("/matching/matches?assignment={assignment}", "list"),
    shows("tbody tr", 2),
    opens("/matching/matches/{match}", "case"),
    links_lead_somewhere(),
    without("a[href^='/registration/persons']"),
    accepted,
    travelling,
    leads("placement/placements/{placement}", "confirm-arrival"),
    acts("placement/placements/{placement}", "confirm-arrival"),
    reported,
    acts("placement/placements/{placement}", "certify"),
    acts("placement/placements/{placement}", "complete"),
    stands("placement/placements/{placement}", "completed"),
    follows("main a[href$='/timeline']", "timeline"),
    own_institution,
    asked_about_two,
    leads("matching/matches/{wanted}", "confirm-candidate"),
    acts("matching/matches/{wanted}", "confirm-candidate"),
    acts("matching/matches/{unwanted}", "refuse-candidate", {"/reason": "other_profile"}),
    stands("matching/matches/{unwanted}", "not_selected"),
    links_lead_somewhere(),
    account_offered,
    opens("/registration/handovers", "handovers"),
    says({"/code": "{handover}"}, faults=False),
    presses(SEND, 200, "handover"),
    lambda walk: walk.reader.fill("/reason", "not_meant"),
    presses("main form[action$='/decline'] button", 200, "handover_declined"),
)


def new_expert(walk: Walk) -> None:
    """A case that waits, and two people who are alike."""
    people = walk.town.people
    walk.ids["expert"] = people.expert("screening", given_name="Zqana", family_name=f"Alike {walk.cell.name}")
    walk.ids["alike"] = people.expert("screening", given_name="Zqana", family_name=f"Alike {walk.cell.name}")
    walk.ids["person"] = people.person_of(walk.ids["expert"])


def many_shortlisted(walk: Walk) -> None:
    people = walk.town.people
    walk.ids["assignment"] = people.assignment(people.institution(), seats=1)
    shortlisted(walk)


def picks_a_shortlist(walk: Walk) -> None:
    """From those who are offered, best first."""
    reader, people = walk.reader, walk.town.people
    walk.ids["listed"] = people.assignment(people.institution(), seats=1)
    people.quiet()
    reader.open(f"/matching/assignments/{walk.ids['listed']}/shortlist", "act")
    reader.page.locator("input[name='/experts'][type=checkbox]").first.check()
    reader.fill("/override_reason", "few_candidates")
    reader.send(303)
    reader.look("case")


def chosen(verb: str, template: str) -> Step:
    """All of the list's page are chosen, and what would happen is looked at."""

    def step(walk: Walk) -> None:
        reader = walk.reader
        for one in reader.page.locator("input[name='case']").all():
            one.check()
        reader.fill("verb", verb)
        reader.send(200, button="form.many button")
        reader.look(template)

    return step


def did_not_come(walk: Walk) -> None:
    """Whoever has the seat accepts, and is then on the way."""
    found = walk.town.people.get(f"/matching/v1/assignments/{walk.ids['assignment']}/shortlist").json()["items"]
    (walk.ids["match"],) = (str(one["id"]) for one in found if one["state"] == "allocated")
    for verb in ("offer", "accept"):
        walk.town.people.done(f"/matching/v1/matches/{walk.ids['match']}/{verb}")
    travelling(walk)


def typed_draft(walk: Walk) -> None:
    walk.town.people.draft(walk.path("Lost {unique}"))


def saves_the_view(walk: Walk) -> None:
    """Of the list that is shown, which then is shown again."""
    reader, form = walk.reader, "form[action='/registration/saved-views']"
    reader.press(reader.page.locator(f"details:has({form}) summary"))
    reader.fill("name", walk.path("Waiting {unique}"))
    reader.send(303, button=f"{form} button")
    reader.look("list")


def sent_table(walk: Walk) -> None:
    walk.ids["job"] = walk.town.people.imported()


def unknown(walk: Walk) -> None:
    """What is not there, and what the role may not see, are pages too."""
    reader = walk.reader
    reader.expected = (*reader.expected, "status of 404", "status of 403")
    reader.open("/registration/experts/0f5e2d0a-3f0c-5a51-8f0c-3d1b5b8f8c41", "refused")
    reader.open("/registration/readings", "refused forbidden")


OFFICERS_MORNING: tuple[Step, ...] = (
    begins,
    new_expert,
    enters(OFFICER),
    opens("/today", "today"),
    opens("/registration/institutions", "list"),
    creates("registration/institutions", "create", INSTITUTION, "institution"),
    leads("registration/institutions/{institution}", "assess"),
    acts("registration/institutions/{institution}", "assess"),
    opens("/registration/experts?status=screening&order=newest", "list"),
    acts("registration/experts/{expert}", "take"),
    leads("registration/experts/{expert}", "screen"),
    acts("registration/experts/{expert}", "screen"),
    shows("table.cards tbody .tag", 6),
    links_lead_somewhere(),
)
OFFICERS_DAY: tuple[Step, ...] = (
    *OFFICERS_MORNING,
    many_shortlisted,
    picks_a_shortlist,
    opens("/registration/experts/{alike}/alike", "alike"),
    opens("/registration/experts/{expert}/files", "case_files"),
    opens("/registration/duplicates", "duplicates"),
    opens("/registration/search", "search"),
    says({"/name": "Zqana"}, faults=False),
    presses(SEND, 200, "search found"),
    opens("/registration/persons/{person}", "case"),
    opens("/registration/persons/{person}/read-identity", "read_identity"),
    says({"/purpose": "contact"}, faults=False),
    presses(SEND, 200, "read_identity shown"),
    opens("/matching/matches?assignment={assignment}&status=shortlisted", "list"),
    chosen("allocate", "bulk"),
    presses(SEND, 200, "bulk_done"),
    did_not_come,
    acts("placement/placements/{placement}", "report-no-show"),
    stands("placement/placements/{placement}", "no_show"),
    opens("/registration/messages", "list"),
    follows("tbody a", "case"),
    typed_draft,
    opens("/registration/lost-codes", "lost_codes"),
    says({"/programme": PROGRAMME, "/known_by": "family_name", "/said": "Lost {unique}"}, faults=False),
    presses(SEND, 200, "lost_codes found"),
    says({"/reason": "device_lost"}, faults=False),
    presses("main section form button", 200, "code_given"),
    opens("/registration/experts?status=screening&order=newest", "list"),
    saves_the_view,
    opens("/registration/saved-views", "saved_views"),
    shows("ul.tasks li"),
    opens("/registration/imports", "imports"),
    sent_table,
    opens("/registration/jobs", "jobs"),
    opens("/registration/jobs/{job}", "job"),
    presses("main form[action$='/confirm'] button", 303, "job"),
    opens("/sign-in/sessions", "sessions"),
    unknown,
)


TWO_AT_ONE_CASE: tuple[Step, ...] = (
    begins,
    enters(HOST),
    creates("matching/assignments", "create", TERMS, "assignment"),
    opens("/matching/assignments/{assignment}/revise", "act"),
    enters(OFFICER),
    acts("matching/assignments/{assignment}", "revise", {"/title": "As the office has it"}, faults=False),
    enters(HOST),
    says({"/title": "As the host has it"}, faults=False),
    presses(SEND, 412, "act conflict"),
    shows("table.cards tbody tr .tag"),
    sends("case"),
    cancelled_while_typing,
)


def what_was_published(walk: Walk) -> None:
    """Before any page is looked at: it takes seconds, in which no page could speak to the test."""
    walk.ids |= {"stated": walk.town.stated.programme, "period": walk.town.stated.id}


def a_spreadsheet(walk: Walk) -> None:
    walk.reader.page.locator("input[name='format'][value='csv']").check()


LOOKING: tuple[Step, ...] = (
    begins,
    what_was_published,
    enters(EVALUATOR),
    opens("/today", "today"),
    opens("/monitoring/indicators", "dashboard"),
    follows("main a[href^='/monitoring/indicators/']", "indicator"),
    links_lead_somewhere(),
    is_a_file("a[href*='table.csv']", b"\xef\xbb\xbf"),
    opens("/monitoring/feed", "feed"),
    links_lead_somewhere(),
    opens("/monitoring/subscriptions/new/subscribe", "act"),
    opens("/monitoring/published/{stated}", "statements"),
    follows("tbody a[href*='/published/']", "statement"),
    opens("/monitoring/exports/{stated}", "exports"),
    presses("#ask button", 422, "exports refused"),
    a_spreadsheet,
    presses("#ask button", 303, "job"),
    opens("/monitoring/exports/{stated}", "exports"),
    shows("tbody tr"),
)


def telephone_read(walk: Walk) -> None:
    people = walk.town.people
    walk.ids["expert"] = people.expert("screening", telephone="+31 20 794 0018")
    walk.ids["person"] = people.person_of(walk.ids["expert"])
    people.done(f"/registration/v1/persons/{walk.ids['person']}/read-identity", {"purpose": "contact"})


ASKING_WHO_READ: tuple[Step, ...] = (
    begins,
    telephone_read,
    enters(PROTECTION),
    opens("/today", "today"),
    opens("/registration/persons/{person}", "case"),
    links_lead_somewhere(),
    opens("/registration/persons/{person}/readings", "readings"),
    shows("tbody tr"),
    opens("/registration/persons/{person}/copy", "copy"),
    opens("/registration/readings?purpose=contact", "readings everywhere"),
    shows("tbody tr"),
    opens("/registration/duplicates", "duplicates"),
    opens("/registration/persons/{person}/erase", "act"),
)
ADMINISTERING: tuple[Step, ...] = (
    begins,
    what_was_published,
    enters("administrator@"),
    opens("/today", "today"),
    opens(f"/registration/programmes/{PROGRAMME}/definition", "definition"),
    links_lead_somewhere(),
    opens(f"/registration/check-definition?code={PROGRAMME}", "check_definition"),
    lambda walk: walk.reader.fill("text", "code: 1"),
    presses("main form button:not([tabindex])", 422, "check_definition refused"),
    opens("/registration/operation", "operation"),
    opens("/monitoring/feed?days=30", "feed everything"),
    shows("tbody tr"),
    opens("/monitoring/statements/{period}/figures", "counted"),
)
VISITING: tuple[Step, ...] = (
    begins,
    enters("a visitor"),
    opens("/", "front"),
    opens("/sign-in", "sign_in"),
    opens("/registration/certificates/check", "check_certificate"),
    opens("/registration/drafts", "draft_code"),
)

JOURNEYS: dict[str, tuple[Step, ...]] = {
    "morning": OFFICERS_MORNING,
    "applying": APPLYING,
    "hosting": HOSTING,
    "expert": (*EXPERT, *COMING_BACK),
    "closing": CLOSING,
    "host": HOST_JOURNEY,
    "officer": OFFICERS_DAY,
    "two": TWO_AT_ONE_CASE,
    "evaluator": LOOKING,
    "protection": ASKING_WHO_READ,
    "administrator": ADMINISTERING,
    "visitor": VISITING,
}
# The journeys of the long form; the others are parts of them, for the suite.
LONG = ("expert", "closing", "host", "officer", "two", "evaluator", "protection", "administrator", "visitor")
