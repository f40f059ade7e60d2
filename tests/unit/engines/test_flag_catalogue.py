"""The catalogues against what others have published about the engines' flags, and their own promises."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from servespec.engines import engine_names, flag_catalogue
from servespec.engines.flag_catalogue import FlagCatalogue, known_versions, load, newest
from servespec.rules.versions import version_key

DATA = Path(__file__).resolve().parents[2] / "data" / "flags"
HISTORY = [json.loads(line) for line in (DATA / "history.jsonl").read_text().splitlines()]
LIFETIMES = [json.loads(line) for line in (DATA / "lifetimes.jsonl").read_text().splitlines()]
PACKAGE = Path(flag_catalogue.__file__).parent

# Rows that the engines' own parsers show to be wrong (scripts/flags/compare.py has them run unchanged).
NOT_SO = {
    ("vllm", "--guided-decoding-backend"): "0.11.0 to 0.11.2 still take it, deprecated; it went in 0.12.0",
    ("vllm", "--guided-decoding-disable-additional-properties"): "as --guided-decoding-backend",
    ("vllm", "--guided-decoding-disable-any-whitespace"): "as --guided-decoding-backend",
    ("vllm", "--guided-decoding-disable-fallback"): "as --guided-decoding-backend",
    ("vllm", "--show-hidden-metrics-for-version"): "its help speaks of deprecated metrics, the flag is not deprecated",
    ("sglang", "--fp4-gemm-backend"): "its help speaks of a deprecated variable, the flag is not deprecated",
    ("sglang", "--fp8-gemm-backend"): "as --fp4-gemm-backend",
    ("sglang", "--custom-sigquit-handler"): "a field that no flag is registered for since 0.5.14",
    ("sglang", "--stat-loggers"): "a field that no flag was ever registered for",
    ("sglang", "--pp"): "--pp-max-micro-batch-size came with 0.5.3.post1, so --pp is unique in 0.5.3",
}  # fmt: skip
# Flags that went and came back: the published row has only the first and the last release.
WITH_GAPS = {
    ("sglang", "--disable-shared-experts-fusion"),
    ("sglang", "--hierarchical-sparse-attention-extra-config"),
    ("tgi", "--max-batch-size"),
}


def at(engine: str, version: str) -> FlagCatalogue | None:
    """The catalogue of a version, None for one before the first that it knows."""
    if version_key(version) < version_key(known_versions(engine)[0]):
        return None
    return load(engine, version)


def takes(engine: str, flag: str, version: str) -> bool | None:
    catalogue = at(engine, version)
    return None if catalogue is None else flag in catalogue.spellings


def agrees(row: dict[str, Any]) -> bool:
    engine, flag, version = row["engine"], row["flag"].split(" ")[0], row["version"]
    match row["event"]:
        case "removed" if flag.startswith("--"):
            before = takes(engine, flag, row["last_seen"]) if row["last_seen"] else None
            catalogue = at(engine, version)
            found = catalogue.get(flag) if catalogue is not None else None
            return (found is None or found.action == "refused") and before in (True, None)
        case "removed":
            catalogue = at(engine, version)
            return catalogue is None or flag.partition("=")[0] not in catalogue.environment or "=" in flag
        case "deprecated" if flag == "--model":
            return "--model" in load(engine, version).spellings
        case "deprecated":
            found = load(engine, version).get(flag)
            return found is not None and found.deprecated is not None
        case "values-added":
            choices = load(engine, version).flags[flag.lstrip("-").replace("-", "_")].choices or ()
            return all(value.strip() in choices for value in row["note"].split(","))
        case "value-removed":
            name, value = row["flag"].lstrip("-").split(" ")
            return load(engine, version).check(name, value) is not None
        case "value-format-changed":
            return load(engine, version).check("limit_mm_per_prompt", "image=4") is not None
        case "became-ambiguous":
            word = "--attention" if "--attention" in row["flag"] else flag
            return "ambiguous-flag" in {p.code for p in load(engine, version).parse([word, "4"]).errors}
        case "abbreviation":
            return [p.code for p in load(engine, newest(engine)).parse([flag, "4"]).problems] == [
                "abbreviated-flag"
            ]
        case _:
            return True


# What is said about something else than a flag of the command line, or about what a flag does.
BEYOND = {"maintenance-mode", "behaviour-changed", "renamed"}


@pytest.mark.parametrize(
    "row", [row for row in HISTORY if row["event"] not in BEYOND], ids=lambda row: row["id"]
)
def test_a_published_change_of_a_flag_is_in_the_catalogue_or_shown_to_be_wrong(row: dict[str, Any]) -> None:
    assert agrees(row) is ((row["engine"], row["flag"]) not in NOT_SO)


@pytest.mark.parametrize("engine", engine_names())
def test_a_flag_is_in_just_the_releases_in_which_it_was_found(engine: str) -> None:
    releases = known_versions(engine)
    sampled = [version for version in LIFETIMES[0]["sampled"][engine] if version in releases]
    spellings = {version: frozenset(load(engine, version).spellings) for version in sampled}
    different = []
    for row in LIFETIMES[1:]:
        if row["engine"] != engine or (engine, row["flag"]) in WITH_GAPS:
            continue
        first = version_key(row["first_seen"].removeprefix("<="))
        last = version_key(row["last_seen"].removeprefix("present in "))
        found = [version for version in sampled if first <= version_key(version) <= last]
        if [version for version in sampled if row["flag"] in spellings[version]] != found:
            different.append(row["flag"])
    assert set(different) <= {flag for owner, flag in NOT_SO if owner == engine}


@pytest.mark.parametrize("engine", engine_names())
def test_every_release_loads_with_flags_that_a_person_can_give(engine: str) -> None:
    for version in known_versions(engine):
        catalogue = load(engine, version)
        assert catalogue.exact
        assert catalogue.version == version
        assert len(catalogue.flags) >= 25
        for name, flag in catalogue.flags.items():
            assert flag.name == name
            assert flag.is_positional or catalogue.get(flag.spellings[0]) == flag


@pytest.mark.parametrize(
    ("engine", "asked", "taken"),
    [
        ("vllm", "0.25.1", "0.25.1"),
        ("vllm", "v0.25.1", "0.25.1"),
        ("vllm", "0.15.2rc1", "0.15.1"),
        ("vllm", "0.7.4.dev49", "0.7.3"),
        ("vllm", "0.10.0rc2", "0.10.0"),
        ("vllm", "0.11.1rc5.dev12", "0.11.1"),
        ("vllm", "99.0rc1", newest("vllm")),
        ("vllm", "0.10.1+gptoss", "0.10.1"),
        ("vllm", "0.4.0", "0.6.0"),
        ("vllm", "99.0", newest("vllm")),
        ("vllm", "nightly", newest("vllm")),
        ("sglang", "0.5.6.post7", "0.5.6.post2"),
        ("tgi", "2.0", "2.0.0"),
    ],
)
def test_a_version_that_is_not_there_is_taken_as_the_release_it_leads_to_or_the_last_before_it(
    engine: str, asked: str, taken: str
) -> None:
    catalogue = load(engine, asked)
    assert (catalogue.version, catalogue.asked) == (taken, asked)
    assert catalogue.exact is (asked.removeprefix("v") in (taken, "2.0") or "+" in asked)


@pytest.mark.parametrize("engine", engine_names())
def test_loading_one_version_takes_less_than_ten_milliseconds(engine: str) -> None:
    def seconds() -> float:
        flag_catalogue._file.cache_clear()
        flag_catalogue._positions.cache_clear()
        load.cache_clear()
        start = time.process_time()
        load(engine, newest(engine))
        return time.process_time() - start

    assert min(seconds() for _ in range(5)) < 0.010


def test_all_catalogues_together_are_a_few_hundred_kilobytes() -> None:
    sizes = [path.stat().st_size for path in PACKAGE.glob("*/flags/*.json")]
    assert sum(sizes) < 800_000


@pytest.mark.parametrize("engine", engine_names())
def test_the_package_of_every_release_is_named_with_its_digest(engine: str) -> None:
    sources = json.loads((PACKAGE / engine / "flags" / "sources.json").read_text())
    assert tuple(sources) == known_versions(engine)
    for source in sources.values():
        assert len(source.get("sha256") or source["commit"]) in (40, 64)
        assert source["method"]
        assert source.get("differences", []) == []


@pytest.mark.parametrize("engine", engine_names())
def test_every_successor_names_flags_that_some_release_has(engine: str) -> None:
    releases = known_versions(engine)
    for old, row in json.loads((PACKAGE / engine / "flags" / "successors.json").read_text()).items():
        flag, dot, _ = old.partition(".")
        assert load(engine, newest(engine)).history(flag), old
        assert row["source"]
        if dot:  # a key of the flag's JSON
            assert {*row["give"]} <= {*(load(engine, newest(engine)).flags[flag].keys or ())}
            continue
        for name in row.get("give", {}):
            assert any(load(engine, release).get(name) for release in releases), (old, name)


def test_a_name_is_found_in_any_of_its_spellings() -> None:
    catalogue = load("vllm", "0.25.1")
    names = ("tensor_parallel_size", "tensor-parallel-size", "--tensor-parallel-size", "-tp")
    assert all(catalogue.get(name) is catalogue.flags["tensor_parallel_size"] for name in names)
    assert catalogue.get("--no-enable-prefix-caching") == catalogue.flags["enable_prefix_caching"]
    assert catalogue.get("tp") is None


def test_the_history_of_a_flag_has_its_gaps() -> None:
    history = load("vllm", "0.25.1").history("--disable-log-requests")
    assert [(stretch.since, stretch.until) for stretch in history] == [("0.6.0", "0.17.0"), ("0.33.0", None)]


def test_the_variables_of_a_version_are_known() -> None:
    assert "VLLM_ATTENTION_BACKEND" in load("vllm", "0.14.0").environment
    assert "VLLM_ATTENTION_BACKEND" not in load("vllm", "0.25.1").environment
    assert "SGLANG_ENABLE_JIT_DEEPGEMM" in load("sglang", "0.5.17").environment
    assert {"MAX_INPUT_TOKENS", "CUDA_GRAPHS", "HF_TOKEN"} <= load("tgi", "3.3.7").environment


@pytest.mark.parametrize(
    ("engine", "version", "name", "value", "code"),
    [
        ("vllm", "0.32.0", "compilation_config", {"cudagraph_mode": "FULLY"}, "bad-choice"),
        ("vllm", "0.32.0", "compilation_config", '{"mode": "DYNAMO"}', "bad-choice"),
        ("vllm", "0.32.0", "compilation_config.cudagraph_mode", "FULLY", "bad-choice"),
        ("vllm", "0.32.0", "compilation_config", {"cudagraph_mode": "full_and_piecewise", "mode": 3}, None),
        ("vllm", "0.32.0", "structured_outputs_config", {"backend": "outline"}, "bad-choice"),
        ("vllm", "0.10.0", "compilation_config", {"cudagraph_mode": "FULLY"}, None),
        ("sglang", "0.5.23", "json_model_override_args", "{'a': 1}", "bad-json"),
        ("sglang", "0.5.23", "json_model_override_args", '{"a": 1}', None),
        ("sglang", "0.4.0", "log_level", "verbose", "bad-choice"),
        ("sglang", "0.5.23", "log_level", "INFO", None),
        ("sglang", "0.5.23", "log_level_http", "INFO", "bad-choice"),
    ],
)
def test_values_that_the_parser_takes_and_the_program_refuses_are_found(
    engine: str, version: str, name: str, value: object, code: str | None
) -> None:
    problem = load(engine, version).check(name, value)
    assert (problem.code if problem is not None else None) == code


@pytest.mark.parametrize("engine", engine_names())
def test_what_is_known_behind_the_parser_is_of_flags_and_releases_that_there_are(engine: str) -> None:
    rows = json.loads((PACKAGE / engine / "flags" / "behind.json").read_text())["rows"]
    for name, since, until, limits, source in rows:
        assert {since, until} - {None} <= {*known_versions(engine)}
        assert load(engine, newest(engine)).get(name.partition(".")[0]) is not None
        assert {*limits} <= {"kind", "choices", "any_case"}
        assert source


def test_a_text_of_several_values_between_delimiters_is_read_as_the_launcher_reads_it() -> None:
    catalogue = load("tgi", "3.3.7")
    assert catalogue.check("cuda_graphs", "1,2,4") is None
    problem = catalogue.check("cuda_graphs", "1,many")
    assert problem is not None
    assert "'many' is not a whole number" in problem.message
