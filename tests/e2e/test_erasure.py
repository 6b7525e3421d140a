"""A canary person is erased: afterwards nothing that is stored, and no key that is left, says who she was.

The order is that of docs/faults.md, section 6: backup, erasure, search, another backup, rebuild, restore, search again.
"""

from __future__ import annotations

import base64
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.edge_canary import FAMILY, GIVEN, files_with, found_in, identity
from tests.e2e.edge_world import PROGRAMME, People
from tests.e2e.system import System
from tests.store_files import content_of, rows_in

ME = "canary-account"
REASON = {"reason": "own_request"}
FIGURES = f"/monitoring/v1/programmes/{PROGRAMME}/indicators"
# As a person's own scan may be called and say: both are needles of the search in clear.
FILE, FILE_NAME = f"%PDF-1.7\n{GIVEN} of a diploma\n%%EOF\n".encode(), f"{FAMILY} diploma.pdf"
PART = 48
NOTE = "Quixévaraself showed a diploma that was hardly legible."


class Canary:
    """What the stores and the keys held of her while she was registered."""

    def __init__(self, system: System, person: str, expert: str, file: str) -> None:
        self.person, self.expert, self.file = person, expert, file
        private = document_of(system.data, "persons", person)["private"]
        note = document_of(system.data, "experts", expert)["private"]["noted"][0]["sealed"]
        self.sealed = [text.encode() for name, text in private.items() if name.startswith("sealed_")]
        self.sealed += [note.encode(), private["likeness"].encode()]
        kept = document_of(system.data, "files", file)["private"]
        pieces = [document_of(system.data, "file_pieces", piece)["private"]["sealed"] for piece in kept["pieces"]]
        self.sealed += [text.encode() for text in (kept["key"], kept["name"], kept["digest"], *pieces)]
        self.keys = keys_of(system.keys, "registration", person)
        rows = rows_in(system.data / "registration.sqlite")
        self.packed = {row.packed for row in rows if any(text in row.text for text in self.sealed)}

    def traces(self, folders: list[Path]) -> dict[str, list[bytes]]:
        """The files in which something stands that was sealed, or a key, in each form in which bytes are written.

        What is packed is opened; of rows that were written over or deleted the bytes as they were are looked for.
        """
        forms = [*self.sealed]
        for key in self.keys:
            forms += [key, key.hex().encode(), base64.b64encode(key), base64.urlsafe_b64encode(key)]
        found: dict[str, list[bytes]] = {}
        for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
            content = content_of(path)
            standing = b"".join(row.packed for row in rows_in(path))
            overwritten = [part for row in self.packed for part in _parts(row) if part not in standing]
            if hits := [form for form in (*forms, *overwritten) if form in content]:
                found[str(path)] = hits
        return found


def _parts(packed: bytes) -> list[bytes]:
    """A row's bytes in pieces, of which a page may part some."""
    return [packed[start : start + PART] for start in range(0, max(1, len(packed) - PART + 1), PART)]


def document_of(data: Path, collection: str, id: str) -> dict[str, Any]:
    """Read beside the running system."""
    rows = rows_in(data / "registration.sqlite")
    (row,) = (row for row in rows if (row.collection, row.id) == (collection, id))
    return row.fields


def keys_of(keys: Path, service: str, person: str) -> list[bytes]:
    with closing(sqlite3.connect(f"file:{keys}/{service}/persons.sqlite?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT key FROM person_keys WHERE person = ?", (person,)).fetchall()
    return [bytes(key) for (key,) in rows if key is not None]


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    with System(tmp_path).running() as system:
        yield system


def counted(people: People) -> dict[str, Any]:
    """Every indicator by the two dimensions that the programme lists as statistical."""
    found = {}
    for by in ("sex", "origin"):
        answer = people.get(f"{FIGURES}/registrations?by={by}", "administrator", None)
        assert answer.is_success, answer.text
        said = answer.json()
        found[by] = {name: said[name] for name in ("value", "cells") if name in said}
    return found


def done(ran: Any) -> str:
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return str(ran.stdout)


def canary(people: People) -> Canary:
    """Registers herself, is screened, written about, and stands on a list; another one stays."""
    expert = people.expert(subject=ME, **identity("self") | {"telephone": "+31 6 8675 3099"})
    people.expert()
    assignment = people.assignment(people.institution())
    people.match(assignment, expert, "shortlisted")
    people.done(f"/registration/v1/experts/{expert}/suspend", {"reason": "under_inquiry", "note": NOTE})
    people.done(f"/registration/v1/experts/{expert}/reinstate")
    file = people.file(expert, FILE, FILE_NAME)
    people.quiet()
    return Canary(people.system, people.person_of(expert), expert, file)


@pytest.mark.timeout(300)
def test_an_erased_person_stands_nowhere_and_does_not_come_back(system: System, tmp_path: Path) -> None:
    people = People(system)
    people.publish()
    her = canary(people)
    mails = system.data.with_name(f"{system.data.name}-mail")
    live = [system.data, system.keys, mails]
    assert len(her.keys) == 1
    people.eventually(lambda: bool(files_with([mails])), "the mail with her address")
    # What is searched for stood there before.
    before = her.traces(live)
    assert {hit for hits in before.values() for hit in hits} >= {*her.sealed, *her.keys}
    files = b"".join(path.read_bytes() for path in system.data.glob("registration.sqlite*"))
    assert len(her.packed) >= 4
    assert all(any(part in files for part in _parts(row)) for row in her.packed)
    read = f"/registration/v1/experts/{her.expert}/files/{her.file}/read"
    assert people.post(read, {"purpose": "screening"}).content == FILE
    figures = counted(people)
    done(system.sankofa("backup", str(tmp_path / "before")))

    path = f"/registration/v1/persons/{her.person}"
    erased = people.post(f"{path}/erase", REASON, "protection", None, idempotency_key="once")
    assert (erased.status_code, erased.json()["state"]) == (200, "erased"), erased.text
    people.quiet()
    again = people.post(f"{path}/erase", REASON, "protection", None, idempotency_key="once")
    assert (again.status_code, again.json()["state"]) == (200, "erased")
    for other, body in (
        (f"{path}/give-consent", {"purpose": "placement"}),
        (f"/registration/v1/experts/{her.expert}/screen", {}),
        (read, {"purpose": "screening"}),
    ):
        gone = people.post(other, body)
        assert (gone.status_code, gone.json()["rule"]) == (410, "erased")
    assert people.get(path, "expert", None, ME).status_code == 410

    done(system.sankofa("backup", str(tmp_path / "after")))
    after = [*live, tmp_path / "after"]
    assert her.traces(after) == {}
    assert files_with([*after, tmp_path / "before"]) == {}
    system.kill()
    assert her.traces(after) == {}
    assert not found_in(system.errors.read_bytes())

    # From offset 0.
    shutil.rmtree(system.data / "monitoring")
    system.start()
    system.wait_ready()
    people.quiet()
    assert counted(people) == figures
    system.stop()

    restored = tmp_path / "restored"
    done(system.sankofa("restore", "--data", str(restored), "--from", str(tmp_path / "before")))
    # She is in that backup, and opened by no key that is left.
    assert her.traces([restored]) != {}
    assert not {*her.keys} & {hit for hits in her.traces([restored, system.keys]).values() for hit in hits}
    system.environment |= {"SANKOFA_KEYS": str(system.keys), "SANKOFA_DATA": str(restored)}
    system.data = restored
    system.start()
    system.wait_ready()
    people.eventually(lambda: people.get(path).json()["state"] == "erased", "the erasure")
    people.quiet()
    # The file is emptied after the save that says it.
    people.eventually(lambda: her.traces([restored, system.keys]) == {}, "nothing of her in any file")
    assert counted(people) == figures
    people.close()
