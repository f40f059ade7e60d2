"""Command lines as the engines' parsers read them; the real parsers are asked in tests/engines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servespec.engines import engine_names
from servespec.engines.flag_catalogue import Flag, FlagCatalogue, known_versions, load

VLLM, SGLANG, TGI = load("vllm", "0.25.1"), load("sglang", "0.5.23"), load("tgi", "3.3.7")
WORDS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)


def codes(catalogue: FlagCatalogue, line: str) -> list[tuple[str, str | None]]:
    return [(problem.code, problem.suggestion) for problem in catalogue.parse(line.split()).problems]


def value_of(flag: Flag) -> st.SearchStrategy[Any]:
    """Values that the flag takes."""
    if flag.kind == "bool":
        return st.just(True) if not flag.negations else st.booleans()
    if flag.choices is not None:
        one = st.sampled_from([choice for choice in flag.choices if choice not in (None, "None")])
    elif flag.kind in ("int", "size", "size_or_auto", "port"):
        low = int((flag.bounds or {}).get("ge", (flag.bounds or {}).get("gt", 0) + 1))
        one = st.integers(max(low, 1), 60_000)
        if flag.bounds and ("le" in flag.bounds or "lt" in flag.bounds):
            one = st.integers(max(low, 0), max(low, int(flag.bounds.get("le", flag.bounds.get("lt", 1) - 1))))
    elif flag.kind == "float":
        one = st.floats(0.01, 0.99)
    elif flag.kind in ("json", "json_or_kvs"):
        keys = st.sampled_from(flag.keys) if flag.keys else st.text("abc", min_size=1)
        one = st.dictionaries(keys, st.integers() | WORDS, max_size=3)
    elif flag.kind == "boolish":
        one = st.booleans()
    elif flag.kind == "kvs":
        one = st.dictionaries(st.sampled_from(["image", "video"]), st.integers(0, 9), min_size=1)
    elif flag.kind == "named_path":
        one = st.builds("{}={}".format, st.text("abc", min_size=1), st.text("abc/", min_size=1))
    else:
        one = WORDS.filter(lambda word: not word.startswith("{") and word not in ("", "None"))
        if flag.delimiter or flag.nargs or flag.action == "append":
            one = st.text("abc", min_size=1)
    if isinstance(flag.nargs, int):
        return st.lists(one, min_size=flag.nargs, max_size=flag.nargs)
    is_list = flag.nargs in ("+", "*") or flag.action == "append"
    return st.lists(one, min_size=1, max_size=3) if is_list else one


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_what_is_written_for_any_flag_of_any_version_is_read_back(data: st.DataObject) -> None:
    engine = data.draw(st.sampled_from(engine_names()))
    catalogue = load(engine, data.draw(st.sampled_from(known_versions(engine))))
    names = st.sampled_from(
        [n for n, f in catalogue.flags.items() if f.action not in ("refused", "store_const")]
    )
    chosen = data.draw(st.lists(names, min_size=1, max_size=4, unique=True))
    values = {name: data.draw(value_of(catalogue.flags[name]), label=name) for name in chosen}
    positional = [name for name in chosen if catalogue.flags[name].is_positional]
    for name in positional:  # it goes first, and is no flag
        values = {name: "org/model", **{key: value for key, value in values.items() if key != name}}
    parsed = catalogue.parse(catalogue.argv(values))
    assert [problem for problem in parsed.errors if problem.code != "unknown-key"] == []
    assert {name: parsed.values[name] for name in values} == values


@given(
    st.sampled_from(engine_names()),
    st.lists(WORDS | st.sampled_from(["--port", "-tp", "--", "-O3", "--a.b"])),
)
def test_no_command_line_makes_the_parser_raise(engine: str, words: list[str]) -> None:
    load(engine, known_versions(engine)[-1]).parse(words)


@pytest.mark.parametrize(
    ("catalogue", "line", "found"),
    [
        (VLLM, "m --max_model_len 25.6k -tp 2", []),
        (VLLM, "m -tp=2 -O3 --no-enable-prefix-caching", []),
        (VLLM, "m --gpu-memory-util 0.9", [("abbreviated-flag", "--gpu-memory-utilization")]),
        (VLLM, "m --max-num 3", [("ambiguous-flag", "--max-num-seqs")]),
        (VLLM, "m --dtpe auto", [("unknown-flag", "--dtype")]),
        (VLLM, "m --tp 2", [("unknown-flag", "--tensor-parallel-size")]),
        (VLLM, "m -language-model-only", [("unknown-flag", "--language-model-only")]),
        (VLLM, "m --enforce-eager=1", [("unexpected-value", "--enforce-eager")]),
        (VLLM, "m --port", [("missing-value", None)]),
        (VLLM, "m --port x", [("bad-value", None)]),
        (VLLM, "m --gpu-memory-utilization 1.5", [("out-of-range", None)]),
        (VLLM, "m --kv-cache-dtype fp9", [("bad-choice", "fp8")]),
        (VLLM, "m --limit-mm-per-prompt image=4", [("bad-json", '{"image": 4}')]),
        (VLLM, "m --compilation-config.levle 3", [("unknown-key", None)]),
        (VLLM, "m extra", [("extra-argument", None)]),
        (load("vllm", "0.9.0"), "m --limit-mm-per-prompt image=4", []),
        (load("vllm", "0.8.5"), "m --disable-log-requests --enable-reasoning", []),
        (SGLANG, "--model-path m --tp 8", [("abbreviated-flag", "--tp-size")]),
        (SGLANG, "--model-path m --pp 8", [("ambiguous-flag", "--pp-size")]),
        (SGLANG, "--model-path m --cuda-graph-max-bs 8", [("ambiguous-flag", "--cuda-graph-max-bs-decode")]),
        (SGLANG, "--model-path m --enable_metrics", [("unknown-flag", "--enable-metrics")]),
        (SGLANG, "--model-path m --disable-cuda-graph", [("deprecated-flag", "--cuda-graph-backend-decode")]),
        (load("sglang", "0.5.4"), "--model-path m --enable-ep-moe", [("refused-flag", "--ep-size")]),
        (TGI, "--model-id m -p 80 --cuda-graphs 1,2,4", []),
        (TGI, "--model-id m --max-total-token 8", [("unknown-flag", "--max-total-tokens")]),
        (TGI, "--model-id m --model-id n", [("repeated-flag", None)]),
        (TGI, "--model-id m --max_total_tokens 8", [("unknown-flag", "--max-total-tokens")]),
        (TGI, "--model-id m --max-input-length 8", [("deprecated-flag", "--max-input-tokens")]),
        (TGI, "--model-id m --trust-remote-code true", [("extra-argument", None)]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_a_word_is_taken_or_refused_with_what_to_write(
    catalogue: FlagCatalogue, line: str, found: list[tuple[str, str | None]]
) -> None:
    assert codes(catalogue, line) == found


def test_a_flag_and_its_value_in_one_word_are_told_apart() -> None:
    (problem,) = VLLM.parse(["m", "--dtype auto"]).errors
    assert (problem.index, problem.suggestion) == (1, "--dtype=auto")


def test_the_place_of_a_problem_is_the_word_that_made_it() -> None:
    parsed = VLLM.parse(["m", "--port", "8000", "--swap-space", "4", "--dtype", "auto"])
    (problem,) = parsed.errors
    assert problem.index == 3
    assert parsed.places == {"port": 1, "dtype": 5, "model_tag": 0}
    assert "removed in 0.18.0" in problem.message


def test_dotted_keys_make_one_json_value() -> None:
    line = "m --speculative-config.method ngram --speculative-config.num_speculative_tokens 4"
    assert VLLM.parse(line.split()).values["speculative_config"] == {
        "method": "ngram",
        "num_speculative_tokens": 4,
    }
    assert VLLM.parse(["m", "-cc.cudagraph_capture_sizes+", "1,2"]).values["compilation_config"] == {
        "cudagraph_capture_sizes": ["1", "2"]
    }


@pytest.mark.parametrize(
    ("word", "number"), [("1k", 1000), ("1K", 1024), ("25.6k", 25600), ("2M", 2 * 1024**2)]
)
def test_sizes_are_read_as_people_write_them(word: str, number: int) -> None:
    assert VLLM.parse(["m", "--max-model-len", word]).values["max_model_len"] == number


def test_the_spelling_that_lasts_is_written() -> None:
    assert SGLANG.argv({"tensor_parallel_size": 2, "pp-size": 2}) == ("--tp-size", "2", "--pp-size", "2")
    assert load("sglang", "0.4.0").argv({"tp_size": 2}) == ("--tp-size", "2")
    assert (
        VLLM.argv({"enable_prefix_caching": False, "api_key": ["a", "-b"]})[0] == "--no-enable-prefix-caching"
    )
    with pytest.raises(KeyError):
        VLLM.argv({"no_such_flag": 1})


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("max_model_len", 8192, None),
        ("max-model-len", "8k", None),
        ("max_model_len", True, "bad-value"),
        ("max_model_len", [1], "bad-value"),
        ("enforce_eager", True, None),
        ("enforce_eager", 1, "bad-value"),
        ("compilation_config", {"mode": 3}, None),
        ("compilation_config", {"level": 3}, "unknown-key"),
        ("compilation_config", "{", "bad-json"),
        ("compilation_config.mode", 3, None),
        ("compilation_config.level", 3, "unknown-key"),
        ("no_such_config.level", 3, "unknown-flag"),
        ("dtype", {"a": 1}, "bad-value"),
        ("max_lora_rank", 4, "bad-choice"),
        ("served_model_name", ["a", "b"], None),
        ("gpu_memory_utilization", 1.5, "out-of-range"),
        ("swap_space", 4, "unknown-flag"),
        ("dtype", None, None),
    ],
)
def test_a_value_of_args_is_held_against_type_choices_range_and_json(
    name: str, value: object, code: str | None
) -> None:
    problem = VLLM.check(name, value)
    assert (problem.code if problem else None) == code


@pytest.mark.parametrize(
    ("engine", "version", "name", "said"),
    [
        ("vllm", "0.32.0", "swap_space", "it was removed in 0.18.0; leave it out"),
        ("vllm", "0.8.5", "kv_offloading_size", "it came in 0.11.1"),
        ("vllm", "0.33.0", "guided_decoding_backend", "give structured_outputs_config.backend"),
        ("vllm", "0.19.0", "disable_log_requests", "removed in 0.17.0"),
        ("sglang", "0.5.23", "gpu-memory-utilization", "it is a flag of vllm"),
        ("vllm", "0.25.1", "mem-fraction-static", "it is a flag of sglang"),
        ("sglang", "0.5.23", "cuda_graph_max_bs", "give cuda_graph_max_bs_decode"),
    ],
)
def test_a_flag_that_is_not_there_is_told_with_its_story(
    engine: str, version: str, name: str, said: str
) -> None:
    problem = load(engine, version).check(name, 1)
    assert problem is not None
    assert said in problem.message


@pytest.mark.parametrize(
    ("engine", "version", "name", "told"),
    [
        (
            "vllm",
            "0.32.0",
            "disable_log_requests",
            "removed in 0.17.0 and is there again since 0.33.0; leave it out",
        ),
        (
            "vllm",
            "0.32.0",
            "guided_decoding_backend",
            "removed in 0.12.0; give structured_outputs_config.backend",
        ),
        (
            "vllm",
            "0.9.0",
            "speculative_max_model_len",
            "removed in 0.8.3; give speculative_config.max_model_len",
        ),
        (
            "vllm",
            "0.33.0",
            "speculative_disable_by_batch_size",
            "removed in 0.8.3; nothing is known to take its",
        ),
        (
            "sglang",
            "0.5.23",
            "enable_double_sparsity",
            "removed in 0.5.11; nothing is known to take its place",
        ),
        ("vllm", "0.8.5", "enable_log_requests", "it came in 0.10.1"),
    ],
)
def test_a_removed_flag_says_when_it_went_and_what_to_give(
    engine: str, version: str, name: str, told: str
) -> None:
    problem = load(engine, version).check(name, True)
    assert problem is not None
    assert told in problem.message
