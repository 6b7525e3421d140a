from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shared.clock import derived_id
from shared.errors import SettingsError, Unavailable
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.keys import Keys, verify_receipt

ISSUER = "https://login.example.org"
DAY = "2026-03-01"
PERSON = "5f1cf7e6-3d0c-5b43-8d6b-5a4b0f7a5a4e"


@pytest.fixture(params=["folder", "memory"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys") if request.param == "folder" else Keys.in_memory(random.Random(1))


def test_a_key_stays_and_services_have_their_own(keys: Keys) -> None:
    assert keys.cursor_key("matching") == keys.cursor_key("matching")
    found = {
        keys.cursor_key("matching"),
        keys.cursor_key("registration"),
        keys.blind_index_key("registration"),
        keys.intake_day_key("registration", DAY),
        keys.intake_day_key("registration", "2026-03-02"),
    }
    assert len(found) == 5
    assert {len(key) for key in found} == {32}


def test_keys_outlive_the_process_and_are_the_owners_alone(tmp_path: Path) -> None:
    first = Keys(tmp_path / "keys")
    ids = (first.cursor_key("matching"), first.receipt_key_id("matching"), first.issuer_key().thumbprint())
    second = Keys(tmp_path / "keys")
    assert ids == (second.cursor_key("matching"), second.receipt_key_id("matching"), second.issuer_key().thumbprint())
    for path in [tmp_path / "keys", *(tmp_path / "keys").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert not [path for path in (tmp_path / "keys").rglob(".*")]


def test_a_folder_in_which_keys_stood_open_is_refused_and_an_empty_one_closed(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o755)
    Keys(folder).cursor_key("matching")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o750)
    with pytest.raises(SettingsError, match="open to other accounts"):
        Keys(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_an_unusable_folder_and_a_damaged_key_are_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError):
        Keys(tmp_path / "file")
    keys = Keys(tmp_path / "keys")
    keys.cursor_key("matching")
    (tmp_path / "keys" / "matching" / "cursor.key").write_bytes(b"short")
    with pytest.raises(SettingsError, match="damaged"):
        keys.cursor_key("matching")


def test_names_are_no_paths(keys: Keys) -> None:
    with pytest.raises(ValueError):
        keys.cursor_key("../matching")
    with pytest.raises(ValueError):
        keys.intake_day_key("matching", "../../x")


def test_the_same_randomness_gives_the_same_keys() -> None:
    one, other = (Keys.in_memory(random.Random(7)) for _ in range(2))
    assert one.receipt_key_id("matching") == other.receipt_key_id("matching")
    assert one.sign_receipt("matching", b"x") == other.sign_receipt("matching", b"x")


def test_receipts_verify_with_the_published_keys_also_after_a_rotation(keys: Keys) -> None:
    old, signature = keys.receipt_key_id("matching"), keys.sign_receipt("matching", b"one")
    new = keys.retire_receipt_key("matching")
    published = keys.receipt_public_keys("matching")
    assert new != old
    assert {key["kid"] for key in published["keys"]} == {old, new}
    assert all("d" not in key for key in published["keys"])
    assert verify_receipt(published, old, b"one", signature)
    assert verify_receipt(published, new, b"one", keys.sign_receipt("matching", b"one"))
    assert not verify_receipt(published, new, b"one", signature)
    assert not verify_receipt(published, old, b"two", signature)
    assert not verify_receipt(published, "another", b"one", signature)
    assert not verify_receipt(published, old, b"one", "!")
    assert not verify_receipt(keys.receipt_public_keys("placement"), old, b"one", signature)


def test_a_days_key_is_destroyed(keys: Keys) -> None:
    old = keys.intake_day_key("matching", DAY)
    keys.intake_day_key("matching", "2026-02-28")
    assert keys.intake_days("matching") == ["2026-02-28", DAY]
    keys.destroy_intake_day("matching", DAY)
    keys.destroy_intake_day("matching", DAY)
    assert keys.intake_days("matching") == ["2026-02-28"]
    assert keys.intake_day_key("matching", DAY) != old


def test_what_another_process_does_to_a_key_counts_at_the_next_use(tmp_path: Path) -> None:
    ours, theirs = Keys(tmp_path / "keys"), Keys(tmp_path / "keys")
    day, cursor = ours.intake_day_key("matching", DAY), ours.cursor_key("matching")
    theirs.destroy_intake_day("matching", DAY)
    assert ours.intake_days("matching") == []
    made = ours.intake_day_key("matching", DAY)
    assert made != day
    assert theirs.intake_day_key("matching", DAY) == made
    path = tmp_path / "keys" / "matching" / "cursor.key"
    other = path.with_name("other")
    other.write_bytes(bytes(reversed(cursor)))
    other.rename(path)
    assert ours.cursor_key("matching") == bytes(reversed(cursor))


async def test_a_person_has_one_key_until_it_is_destroyed_for_good(keys: Keys) -> None:
    persons = keys.persons("registration")
    assert await persons.existing(PERSON) is None
    key = await persons.key(PERSON)
    assert (len(key), await persons.key(PERSON), await persons.existing(PERSON)) == (32, key, key)
    assert await persons.key("another") != key
    await persons.destroy(PERSON)
    await persons.destroy(PERSON)
    for ask in (persons.key, persons.existing):
        with pytest.raises(KeyDestroyed):
            await ask(PERSON)
    await persons.destroy("never-seen")
    with pytest.raises(KeyDestroyed):
        await persons.key("never-seen")
    await keys.close()


async def test_person_keys_are_durable_shared_and_gone_from_the_files_when_destroyed(tmp_path: Path) -> None:
    one, other = (Keys(tmp_path / "keys").persons("registration") for _ in range(2))
    found = await asyncio.gather(*(keys.key(PERSON) for keys in (one, other) for _ in range(10)))
    assert len(set(found)) == 1
    await one.destroy(PERSON)
    with pytest.raises(KeyDestroyed):
        await other.key(PERSON)
    for path in (tmp_path / "keys").rglob("persons.sqlite*"):
        assert found[0] not in path.read_bytes(), path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await one.close()
    await other.close()


async def test_of_many_that_ask_at_once_each_gets_an_answer_of_its_own(tmp_path: Path) -> None:
    persons = Keys(tmp_path / "keys").persons("registration")
    await persons.destroy("erased")
    asked = [f"person-{number % 20}" for number in range(100)] + ["erased"]
    found = await asyncio.gather(*(persons.key(person) for person in asked), return_exceptions=True)
    assert isinstance(found.pop(), KeyDestroyed)
    assert len(set(found)) == 20
    assert found[:20] == found[20:40] == [await persons.existing(person) for person in asked[:20]]
    await persons.close()


async def test_a_key_that_cannot_be_kept_is_not_handed_out(tmp_path: Path) -> None:
    persons = Keys(tmp_path / "keys").persons("registration")
    await persons.key("known")
    lock = sqlite3.connect(tmp_path / "keys" / "registration" / "persons.sqlite", isolation_level=None)
    lock.execute("ALTER TABLE person_keys RENAME TO hidden")
    answers = await asyncio.gather(*(persons.key(name) for name in ("known", "new")), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    lock.execute("ALTER TABLE hidden RENAME TO person_keys")
    lock.close()
    assert await persons.key("new") == await persons.existing("new")
    await persons.close()


CHILD = """
import asyncio, sys
from pathlib import Path
from shared.identity.keys import Keys

async def main() -> None:
    persons = Keys(Path(sys.argv[1])).persons("registration")
    for number in range(1_000_000):
        key = await persons.key(f"person-{number}")
        print(number, key.hex(), flush=True)

asyncio.run(main())
"""


async def test_a_key_that_was_handed_out_survives_kill_9(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    handed: dict[str, str] = {}
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "keys")], cwd=root, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for line in child.stdout:
            number, key = line.split()
            assert handed.setdefault(number, key) == key
            if int(number) >= 200:
                os.kill(child.pid, signal.SIGKILL)
                break
        child.wait()
        child.stdout.close()
    persons = Keys(tmp_path / "keys").persons("registration")
    for number, key in handed.items():
        assert await persons.existing(f"person-{number}") == bytes.fromhex(key)
    await persons.close()


def test_an_account_tells_no_guessed_address(keys: Keys) -> None:
    """Whoever sees ids that follow from an account cannot test an address on them without the identity key."""
    account = keys.accounts(ISSUER).of("amina@example.org")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", account)
    assert account != derived_id("account", ISSUER, "amina@example.org")
    assert account == keys.accounts(ISSUER).of("amina@example.org")
    others = {
        keys.accounts(issuer).of(subject) for issuer, subject in ((ISSUER, "a"), ("b", "amina"), (ISSUER + "a", ""))
    }
    assert len({account, *others}) == 4


def test_the_identity_key_stays_while_the_process_runs(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    assert not keys.has_identity_key()
    account = keys.accounts(ISSUER).of("amina")
    (tmp_path / "keys/identity/account.key").unlink()
    assert keys.accounts(ISSUER).of("amina") == account
    assert Keys(tmp_path / "keys").accounts(ISSUER).of("amina") != account
