"""Reading one spec: positions, all mistakes in one run, hostile text."""

from __future__ import annotations

from pathlib import Path

import pytest

from servespec.diagnostics import Diagnostic, Severity
from servespec.spec import load, load_text, locate
from servespec.spec.loader import LoadedSpec

GOOD = """\
servespec: v1
name: small
model:
  id: meta-llama/Llama-3.1-8B-Instruct
hardware: {gpu: H100-80GB}
"""


def found(loaded: LoadedSpec) -> list[tuple[str, int, int]]:
    return [(d.code, d.span.line, d.span.column) for d in loaded.diagnostics if d.span]


def test_a_good_spec_becomes_a_frozen_model_with_nothing_to_say() -> None:
    loaded = load_text(GOOD)
    assert loaded.diagnostics == ()
    assert loaded.spec is not None
    assert loaded.spec.model.id == "meta-llama/Llama-3.1-8B-Instruct"
    with pytest.raises(ValueError, match="frozen"):
        loaded.spec.name = "other"  # type: ignore[misc]


def test_five_mistakes_are_found_in_one_run_each_at_its_line_and_column() -> None:
    loaded = load_text(
        GOOD
        + """\
limits:
  max_model_len: -5
  max_modl_len: 1
parallel: {tensor: two}
server: {port: 99999}
targets:
  vlm: {}
"""
    )
    assert found(loaded) == [
        ("SV014", 12, 3),
        ("SV013", 7, 18),
        ("SV010", 8, 3),
        ("SV012", 9, 20),
        ("SV013", 10, 16),
    ]
    assert loaded.spec is None
    assert loaded.partial is not None


@pytest.mark.parametrize(
    ("text", "code", "line", "words"),
    [
        ("", "SV004", 1, "empty"),
        ("# nothing\n", "SV004", 1, "empty"),
        ("- a\n", "SV004", 1, "a list"),
        ("just text\n", "SV004", 1, "the text 'just text'"),
        (GOOD + "---\n" + GOOD, "SV004", 6, "second YAML document"),
        (GOOD + "name: again\n", "SV005", 6, "the first is on line 2"),
        (GOOD + "limits: !!python/object:os.system {}\n", "SV006", 6, "!!python/object:os.system"),
        (GOOD + "limits: !include x\n", "SV006", 6, "!include"),
        (GOOD + "limits: [\n", "SV001", 7, "YAML syntax"),
        (GOOD + "\tlimits: {}\n", "SV001", 6, "spaces"),
        (GOOD + "limits: *nowhere\n", "SV001", 6, "no anchor &nowhere"),
        (GOOD + "env: &a {b: *a}\n", "SV001", 6, "inside of what it names"),
        (GOOD + "env: {a: \x07}\n", "SV001", 6, "U+0007"),
        (GOOD + "? [a]\n: 1\n", "SV012", 6, "a key has to be text"),
        (GOOD + "limits: {max_model_len: .nan}\n", "SV012", 6, "an integer"),
        (GOOD + "limits: {gpu_memory_fraction: .inf}\n", "SV012", 6, "finite"),
        (GOOD + f"limits: {{max_model_len: {'9' * 5000}}}\n", "SV013", 6, "5,000 characters"),
        (GOOD + "model2: 1\n", "SV010", 6, "did you mean 'model'"),
        ("servespec: v2\n" + GOOD[14:], "SV013", 1, "expected v1"),
        (GOOD + "env: {'A B': x}\n", "SV013", 6, "no name of a variable"),
        (GOOD + "deploy: {namespace: In_Ference}\n", "SV013", 6, "lower-case letters"),
        (GOOD.replace("}", ", memory_gib: 4.7e-14}"), "SV013", 5, "at least 0.1"),
        (GOOD + "server: {host: a b}\n", "SV013", 6, "without spaces"),
        (GOOD + 'server: {served_model_name: "a\\u2028b: c"}\n', "SV013", 6, "served_model_name"),
        (
            GOOD.replace("id: meta-llama/Llama-3.1-8B-Instruct", "id:"),
            "SV011",
            4,
            "model.id is missing: hub id",
        ),
        (GOOD.replace("{gpu: H100-80GB}", "{}"), "SV011", 5, "hardware.gpu is missing"),
        (GOOD.replace("name: small\n", ""), "SV011", 1, "name is missing"),
        (GOOD + "targets: {vllm: {args: {a: [1, {b: .nan}]}}}\n", "SV012", 6, "a finite number"),
        (
            GOOD + f"targets: {{vllm: {{args: {{a: {'9' * 5000}}}}}}}\n",
            "SV013",
            6,
            "at most 9,007,199,254,740,992",
        ),
        (GOOD + f"env: {{A: {'9' * 50}}}\n", "SV012", 6, "env.A is a value of type integer"),
        (GOOD + "env: {A: [1]}\n", "SV012", 6, "expected text, a number, true or false"),
    ],
)
def test_a_mistake_is_reported_with_code_line_and_words(text: str, code: str, line: int, words: str) -> None:
    loaded = load_text(text)
    assert loaded.spec is None
    matching = [d for d in loaded.diagnostics if d.code == code]
    assert len(matching) == 1, loaded.diagnostics
    assert matching[0].span is not None
    assert matching[0].span.line == line
    assert words in matching[0].message


@pytest.mark.parametrize(
    ("value", "key", "fix"),
    [
        ("kv_cache: {prefix_caching: yes}", "kv_cache.prefix_caching", "true"),
        ("kv_cache: {prefix_caching: off}", "kv_cache.prefix_caching", "false"),
        ("limits: {max_model_len: 8_192}", "limits.max_model_len", "8192"),
        ("limits: {max_model_len: '8,192'}", "limits.max_model_len", "8192"),
        ("limits: {max_model_len: 8192.0}", "limits.max_model_len", "8192"),
        ("targets: {vllm: {version: 0.10}}", "targets.vllm.version", '"0.10"'),
        ("server: {served_model_name: true}", "server.served_model_name", '"true"'),
    ],
)
def test_what_yaml_reads_otherwise_than_meant_comes_with_the_edit(value: str, key: str, fix: str) -> None:
    (diagnostic,) = load_text(GOOD + value + "\n").diagnostics
    assert diagnostic.key == key
    assert diagnostic.fix is not None
    (edit,) = diagnostic.fix.edits
    assert edit.text == fix
    assert edit.safe


def test_null_and_absent_are_the_same_at_every_level() -> None:
    with_nulls = "limits: null\nparallel: {tensor: ~}\nserver: {port: null}\nenv: {A: null}\nsmoke:\n"
    absent, null = load_text(GOOD).spec, load_text(GOOD + with_nulls).spec
    assert null is not None
    assert null == absent


def test_merge_keys_and_aliases_work_and_the_own_key_wins() -> None:
    text = GOOD + "limits: &l {max_model_len: 1024, max_batched_tokens: 512}\n"
    text += "targets: {vllm: {args: {<<: *l, max_model_len: 2048}}}\n"
    spec = load_text(text).spec
    assert spec is not None
    assert spec.targets["vllm"].args == {"max_model_len": 2048, "max_batched_tokens": 512}


def test_an_alias_bomb_ends_at_once() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (diagnostic,) = load_text("l0: &l0 [x, x, x]\n" + levels).diagnostics
    assert diagnostic.code == "SV003"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 50_000,
        "- " * 20_000,
        "a:\n" + "".join(" " * n + "a:\n" for n in range(1, 400)),
    ],
)
def test_deep_nesting_ends_at_once(text: str) -> None:
    assert [d.code for d in load_text(text).diagnostics] == ["SV003"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x7fELF\x02\x01\x01\x00\x00", "SV002"),
        (b"name: \xff\xfe", "SV002"),
        (GOOD.encode("utf-16"), "SV002"),
        (GOOD.encode("utf-16-le"), "SV002"),
        (GOOD.encode("utf-32"), "SV002"),
        (b"a" * (1 << 20) + b"a", "SV003"),
    ],
)
def test_what_is_no_utf8_text_is_refused(tmp_path: Path, data: bytes, code: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_bytes(data)
    loaded = load(path)
    assert [d.code for d in loaded.diagnostics] == [code]
    assert loaded.spec is None


def test_a_byte_order_mark_does_no_harm() -> None:
    loaded = load_text(b"\xef\xbb\xbf" + GOOD.encode())
    assert loaded.spec is not None
    assert loaded.diagnostics == ()


def test_locate_gives_the_span_of_the_key_and_the_nearest_parent_otherwise() -> None:
    nodes = load_text(GOOD + "targets:\n  vllm: {args: {a.b: 1, c: [x, y]}}\n").nodes
    exact = locate(nodes, "targets.vllm.args.a.b")
    assert exact is not None
    assert (exact.span.line, exact.span.column, exact.span.end_column, exact.exact) == (7, 17, 20, True)
    item = locate(nodes, "targets.vllm.args.c.1")
    assert item is not None
    assert item.span.column == 32
    parent = locate(nodes, "targets.vllm.version")
    assert parent is not None
    assert (parent.span.line, parent.span.column, parent.exact) == (7, 3, False)
    top = locate(nodes, "limits.max_model_len")
    assert top is not None
    assert (top.span.line, top.exact) == (1, False)


def test_the_pure_parser_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    text = GOOD + "limits: &l {max_model_len: -5}\ntargets: {vlm: {args: *l}}\nenv: {A: !x 1}\n"
    by_libyaml = found(load_text(text))
    monkeypatch.setitem(sys.modules, "ruamel.yaml.cyaml", None)
    monkeypatch.delattr("ruamel.yaml.cyaml", raising=False)
    assert found(load_text(text)) == by_libyaml
    assert len(by_libyaml) == 3


@pytest.mark.parametrize("image", ["vllm/vllm-openai:v0.25.1", "host:5000/a/b:c"])
def test_a_colon_inside_of_plain_text_in_braces_is_yaml_1_2(image: str) -> None:
    spec = load_text(GOOD + f"targets: {{vllm: {{image: {image}, env: {{A: http://x:80/y}}}}}}\n").spec
    assert spec is not None
    assert spec.targets["vllm"].image == image
    assert spec.targets["vllm"].env == {"A": "http://x:80/y"}


def test_a_target_without_a_value_chooses_nothing_and_says_so() -> None:
    loaded = load_text(GOOD + "targets:\n  vllm:\n  sglang: {}\n")
    assert loaded.spec is not None
    assert list(loaded.spec.targets) == ["sglang"]
    (diagnostic,) = loaded.diagnostics
    assert (diagnostic.code, diagnostic.severity) == ("SV018", "warning")


def test_half_of_a_surrogate_pair_in_a_flag_is_a_mistake_of_the_spec() -> None:
    text = (
        "servespec: v1\nname: x\nmodel: {id: Qwen/Qwen3-8B}\nhardware: {gpu: H100-80GB}\n"
        'targets: {vllm: {args: {chat_template: "\\ud800"}}}\n'
    )
    loaded = load_text(text)
    assert loaded.spec is None
    (found,) = loaded.diagnostics
    assert found.span is not None and found.span.line == 5


def test_a_pair_that_json_writes_for_one_character_is_that_character() -> None:
    loaded = load_text(
        '{"servespec": "v1", "name": "small", "model": {"id": "Qwen/Qwen3-8B"},\n'
        '"hardware": {"gpu": "H100-80GB"}, "smoke": {"prompts": ["hi \\ud83d\\ude00", "\\u00e9"]}}'
    )
    assert loaded.diagnostics == ()
    assert loaded.spec is not None
    assert loaded.spec.smoke.prompts == ("hi \U0001f600", "\u00e9")


@pytest.mark.parametrize("text", ["\\ud83d", "\\ude00\\ud83d", "x\\ud83dy"])
def test_half_of_such_a_pair_is_named_with_what_to_write(text: str) -> None:
    loaded = load_text(GOOD + f'env: {{GREETING: "{text}"}}\n')
    assert loaded.spec is None
    (found,) = loaded.diagnostics
    assert (found.code, found.span and found.span[:2]) == ("SV013", (6, 17))
    assert "one half of a surrogate pair: write both halves" in found.message


def test_an_escape_that_a_long_file_cannot_have_read_again_says_what_to_write() -> None:
    (found,) = load_text(GOOD + 'env: {A: "\\ud83d\\ude00"}\n' + "# padding\n" * 4000).diagnostics
    assert found.code == "SV001"
    assert "write the character itself" in found.message


def test_findings_of_the_spec_point_at_the_value_and_memory_at_the_gpu() -> None:
    loaded = load_text(GOOD + "targets:\n  vllm: {version: 0.9.99}\n")

    def columns(code: str, key: str, engine: str | None = None) -> tuple[int, ...]:
        told = Diagnostic(code=code, severity=Severity.error, message="", key=key, engine=engine)
        span = loaded.place(told).span
        assert span is not None
        return span

    assert columns("SV015", "hardware.gpu") == (5, 17, 5, 26)
    assert columns("SV016", "model.id") == (4, 7, 4, 39)
    assert columns("SV016", "model.config") == (3, 1, 3, 6)
    assert columns("SV017", "targets.vllm.version", "vllm") == (7, 19, 7, 25)
    assert columns("SV101", "limits.max_model_len", "sglang") == (5, 12, 5, 15)
    assert columns("SV101", "limits.max_model_len", "vllm") == (5, 12, 5, 15)
    assert columns("SV301", "parallel.tensor", "vllm") == (7, 3, 7, 7)
    assert columns("SV301", "parallel.tensor", "sglang") == (1, 1, 1, 10)
