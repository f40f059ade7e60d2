"""What a YAML file can be besides text: encodings, aliases, tags, merge keys, numbers without end."""

from __future__ import annotations

import codecs

from fuzzing import fuzz
from hypothesis import strategies as st
from surviving import BASE, survives

CODECS = (
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "utf-32-le",
    "latin-1",
    "cp037",
    "utf-7",
)
MARKS = (b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE, b"\0", b"\xff")  # fmt: skip


@fuzz(st.sampled_from(CODECS), st.sampled_from(MARKS), st.lists(st.tuples(st.integers(0, 900), st.binary(max_size=3)), max_size=3))  # fmt: skip
def test_any_encoding(codec: str, mark: bytes, damage: list[tuple[int, bytes]]) -> None:
    data = mark + BASE.encode(codec)
    for position, piece in damage:
        data = data[:position] + piece + data[position:]
    survives(data)


SCALARS = st.one_of(
    st.sampled_from(
        ["5" * 5000, "-" + "7" * 5000, "0x" + "f" * 5000, "0o" + "7" * 5000, "0b" + "1" * 5000, "1_0" * 2000, "." + "1" * 5000,
         "1e" + "9" * 5000, ".nan", "-.inf", ".INF", "NaN", "Infinity", "1:2:3", "2001-01-01", "2001-99-99", "!!binary aGk=", "!!binary é",
         "!!set {a, b}", "!!omap [a: 1]", "!!timestamp x", "!!int x", "!!float 1", "!!bool 3", "!!null x", "!!str [a]", "!!map a", "!!seq {}",
         "!!python/object/apply:os.system [id]", "!local x", "!<tag:yaml.org,2002:int> 3", "! x", "*missing", "<<", "=", "? a", '"\\x00"',
         '"\\ud800"', '"\\U00110000"', "'\x85'", "|\n     a\n", ">+\n\n\n     a\n", "~", "''", "{}", "[]"]
    ),
    st.integers(1, 6000).map(lambda n: "9" * n),
)  # fmt: skip
KEYS = st.sampled_from(
    ["name", "model", "hardware", "limits", "env", "targets", "extends", "servespec", "<<", "1", "null", "[a, b]", "{a: b}", "? x", "'a b'", "*a",
     "&k name", "!!str name", "!!int 3", "é", '"\\0"', "workload", "kv_cache", "smoke", "deploy"]
)  # fmt: skip


@st.composite
def documents(draw: st.DrawFn, depth: int = 0) -> str:
    """A mapping in block style with odd keys (again and again), anchors, merges and values."""
    margin = "  " * depth
    lines = []
    for _ in range(draw(st.integers(1, 5))):
        key = draw(KEYS)
        anchor = draw(st.sampled_from(["", "", "", "&a ", "&b ", "!t "]))
        if depth < 4 and draw(st.integers(0, 3)) == 0:
            lines.append(f"{margin}{key}: {anchor}\n{draw(documents(depth + 1))}")
        else:
            value = draw(
                st.one_of(
                    SCALARS, st.sampled_from(["*a", "*b", "{<<: *a}", "{<<: [*a, *b]}", "[*a, *a, *b]"])
                )
            )
            lines.append(f"{margin}{key}: {anchor}{value}")
    return "\n".join(lines)


@fuzz(st.booleans(), documents())
def test_odd_keys_tags_aliases_and_numbers(has_base: bool, text: str) -> None:
    survives((BASE if has_base else "") + text + "\n")


@fuzz(st.sampled_from(["{%s: 1}", "[%s]", "%s: 1", "- %s", "{<<: %s, <<: %s}"]), st.integers(2, 40), st.integers(2, 12), st.sampled_from([BASE, ""]))  # fmt: skip
def test_aliases_that_grow_with_every_line(form: str, lines: int, width: int, head: str) -> None:
    """Every line refers to the one above it several times: expanded, there would be width to the power of lines."""
    text = [f"{head}x0: &x0 [a, b]"]
    for number in range(1, lines):
        alias = f"*x{number - 1} "
        filled = form.replace("%s", ", ".join([alias] * width) if "[" in form else alias)
        text.append(f"x{number}: &x{number} " + (filled if form[0] in "{[" else "{" + f"k: {alias}" + "}"))
    survives("\n".join(text) + f"\nenv: *x{lines - 1}\n")


@fuzz(st.sampled_from("[{(?-&*!|>'\"%@`:#,<\t\n\0"), st.sampled_from(["", "a", "\n", " ", "a: ", "- "]), st.integers(1, 3000), st.sampled_from([BASE, ""]))  # fmt: skip
def test_one_thing_many_times(sign: str, between: str, times: int, head: str) -> None:
    survives(head + (sign + between) * times)
