from hypothesis import given
from hypothesis import strategies as st

from servespec.render.header import Header, is_untouched, stamp

HEADER = Header(spec="a.yaml", target="vllm 1.0", format="shell")


def test_a_stamped_text_is_untouched() -> None:
    assert is_untouched(stamp(HEADER.comment() + "echo\n"))


def test_a_text_without_a_header_is_a_persons() -> None:
    assert not is_untouched("echo\n")


@given(st.integers(min_value=0), st.characters(codec="utf-8"))
def test_any_change_of_a_character_is_noticed(place: int, character: str) -> None:
    text = stamp(HEADER.comment() + "echo one two three\n")
    at = place % len(text)
    changed = text[:at] + character + text[at + 1 :]
    assert is_untouched(changed) == (changed == text)


@given(st.text())
def test_no_name_ends_the_comment(name: str) -> None:
    comment = Header(spec=name, target=name, format="shell").comment()
    assert len(comment.splitlines()) == 3
    assert all(line.startswith("# ") for line in comment.splitlines())
