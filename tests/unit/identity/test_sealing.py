from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import texts
from shared.identity import sealing
from shared.identity.sealing import SealBroken, blind, open_sealed, seal
from shared.texts import fold_number

KEY = bytes(range(32))


def sealed(text: str = "Amina", person: str = "p1", field: str = "given_name", seed: int = 1) -> str:
    return seal(KEY, text, person=person, field=field, rng=random.Random(seed))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_opens(text: str) -> None:
    assert open_sealed(KEY, sealed(text), person="p1", field="given_name") == text


def test_the_text_is_not_in_it_and_no_two_are_alike() -> None:
    assert "Amina" not in sealed()
    assert sealed(seed=1) != sealed(seed=2)


@pytest.mark.parametrize(("person", "field"), [("p2", "given_name"), ("p1", "family_name"), ("p1", "given_name ")])
def test_another_person_or_field_does_not_open_it(person: str, field: str) -> None:
    with pytest.raises(SealBroken):
        open_sealed(KEY, sealed(), person=person, field=field)


def test_person_and_field_are_told_apart_at_their_border() -> None:
    with pytest.raises(SealBroken):
        open_sealed(KEY, sealed(person="a", field="b.c"), person="a.b", field="c")


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(SealBroken):
        open_sealed(bytes(32), sealed(), person="p1", field="given_name")


@given(st.data())
def test_a_changed_character_does_not_open(data: st.DataObject) -> None:
    text = sealed("A longer name")
    position = data.draw(st.integers(0, len(text) - 1))
    changed = text[:position] + data.draw(st.sampled_from("AZaz09-_.")) + text[position + 1 :]
    if changed != text:
        with pytest.raises(SealBroken) as error:
            open_sealed(KEY, changed, person="p1", field="given_name")
        assert "longer" not in str(error.value)
        assert error.value.__cause__ is None


@pytest.mark.parametrize("text", ["", "s1.", "s1.AAAA", "s1.!!!", "s0.AAAA", "s1." + "A" * 40, "ä"])
def test_what_is_no_sealed_text_does_not_open(text: str) -> None:
    with pytest.raises(SealBroken):
        open_sealed(KEY, text, person="p1", field="given_name")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x 123-456", "X123456"),
        ("ｘ１２３", "x123"),
        ("١٢٣", "123"),
        ("AB/12.3", "ab 123"),
        ("straße1", "STRASSE1"),
        ("ʏ7", "y7"),
        ("ʏ7", "Y7"),
    ],
)
def test_numbers_written_differently_are_one(one: str, other: str) -> None:
    assert fold_number(one) == fold_number(other)


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold_number(fold_number(text)) == fold_number(text)


def test_every_character_is_folded_once_and_for_all() -> None:
    # Alphabets and letters for mathematics; what lies between are signs of words and syllables.
    characters = map(chr, (*range(0x3000), *range(0xA640, 0xAC00), *range(0x1D400, 0x1D800)))
    assert [one for one in characters if fold_number(folded := fold_number(one)) != folded] == []


def test_the_blind_index_tells_its_parts_apart() -> None:
    marks = {
        blind(KEY, "passport", "NL", "x1"),
        blind(KEY, "passport", "BE", "x1"),
        blind(KEY, "id_card", "NL", "x1"),
        blind(KEY, "passport", "NL", "x2"),
        blind(bytes(32), "passport", "NL", "x1"),
        blind(KEY, "passportNL", "", "x1"),
    }
    assert len(marks) == 6
    assert blind(KEY, "passport", "NL", "x1") == blind(KEY, "passport", "NL", "x1")
    assert all(len(mark) == 64 for mark in marks)


@given(st.text(), st.text())
def test_what_a_text_is_bound_to_is_written_as_json_writes_it(person: str, field: str) -> None:
    """Stored texts open for as long as these bytes stay the same."""
    assert sealing._bound(person, field) == json.dumps(["sankofa", sealing.VERSION, person, field]).encode()


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_folded_as_any_other_text(text: str) -> None:
    assert fold_number(text) == texts._folded_until_it_stays(text)
