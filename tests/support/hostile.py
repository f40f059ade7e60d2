"""Strategies for hostile input that several fuzz modules share."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

BAIT = (
    *("'; touch canary; '", '"; touch canary; "', "$(touch canary)", "`touch canary`", "\ntouch canary\n"),
    *("a b", "${HOME}", "$HOME", "$$", "a\nb: c", "yes", "0o17", "22:22", "- x", "# x", " # x", ": ", "{{ 7 * 7 }}"),
    *("{% raw %}", "{{", "\\", "\\n", "'''", '"""', "%n", "%%", "!!python/object/apply:os.system [id]", "&a *a"),
    *("\u2028", "\x85", "\ufeff", "=1", ".5", "1e3", "~", "null", "---", "...", "--flag", "🙂", "é", "\t", "a,b"),
    *("a=b", "x" * 300, "../..", "/etc/passwd", "|", ">", "a;b", "a&b", "a|b", "*", "?", "[a]", "<b>", "]]>", "NaN"),
)  # fmt: skip
"""What would be more than a string, were it written without quotes, somewhere."""

ODD_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [None, True, False, 0, -1, 1, 3, 2**31, 2**53, 2**63, 10**18, 1.5, -0.0, 1e308, float("nan"), float("inf"),
         "", "x", "4096", "re:(", "re:(a+)+$", "\0", "a" * 5000, [], [1], ["a"], [None], [[1]], {}, {"a": 1}, {"": {}}]
    ),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.text(max_size=8),
)  # fmt: skip


def json_text(value: Any) -> str:
    """JSON with NaN, infinities and lone surrogates, as Python's reader takes it."""
    return json.dumps(value)


@st.composite
def cut(draw: st.DrawFn, texts: list[str], pieces: st.SearchStrategy[str], most: int = 6) -> str:
    """One of the texts, with pieces put in or in the place of what stood there."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(0, most))):
        position = draw(st.integers(0, len(text)))
        length = draw(st.sampled_from([0, 0, 1, 2, 8, 40, 400]))
        text = text[:position] + draw(pieces) + text[position + length :]
    return text
