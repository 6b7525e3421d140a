"""Brief ids and index texts: each another one, and in the order of the texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.store.brief import brief, ordered, whole

UUID, DIGEST = "ddf7bc32-ddf2-5b48-b307-c57dff0e3082", "0f" * 32
TIME = "2026-11-29T17:06:04.464014Z"
PARTS = (UUID, DIGEST, TIME, UUID.upper(), UUID[:-1], DIGEST + "0", "kabul", "\x1f", "-", "é", "\U0010ffff", "\0", " ")
TEXTS = st.one_of(
    st.text(),
    st.text("0123456789abcdef-:.TZ\x1f"),
    st.lists(st.sampled_from(PARTS), max_size=4).map("".join),
    st.lists(st.sampled_from(PARTS), max_size=4).map("\x1f".join),
)


@given(TEXTS)
def test_the_text_comes_back(text: str) -> None:
    assert whole(brief(text)) == text


@given(TEXTS, TEXTS)
def test_orders_compare_as_their_texts_do(one: str, other: str) -> None:
    assert (ordered(one) < ordered(other)) == (one < other)
    assert (ordered(one) == ordered(other)) == (one == other)
    assert ordered(one) < ordered(f"{one}\0")


def test_what_is_usual_is_short() -> None:
    assert [len(brief(text)) for text in (UUID, DIGEST, f"kabul\x1f{DIGEST}", f"all\x1f{TIME}")] == [17, 33, 39, 31]
    assert [len(ordered(text)) for text in ("", UUID, f"{TIME}\x1f{UUID}")] == [0, 23, 40]
    # Another spelling of the same UUID is another text.
    assert brief(UUID.upper()) == UUID.upper()
