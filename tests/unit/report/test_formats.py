"""Every format of ``check`` against the schema or the documented rules of who reads it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import xmlschema

from servespec.check import check_files
from servespec.report import format_names, write
from servespec.report.explanation import explain_file
from servespec.report.model import CheckReport
from servespec.report.style import Style
from servespec.report.table import target_lines
from servespec.schemas import report_text
from servespec.spec import load_text

SCHEMAS = Path(__file__).parents[2] / "data" / "schemas"
FITS = """\
servespec: v1
name: fits
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
limits: {max_model_len: 8192}
targets: {vllm: {version: 0.25.1}}
"""
SECRET = "hf_abcdefghijklmnopqrstuvwxyz0123"
BROKEN = f"""\
servespec: v1
name: "<bad> & 'worse'"
model: {{id: meta-llama/Llama-3.1-8B-Instruct}}
hardware: {{gpu: H100-80GB, count: yes}}
env: {{HF_TOKEN: {SECRET}, A: "\\x1b[31m]]>"}}
parallel: {{expert: yes}}
targets: {{vllm: {{version: 0.25.1}}}}
"""


@pytest.fixture(scope="module")
def report() -> CheckReport:
    directory = Path.cwd()
    texts = {
        "fits.yaml": FITS,
        "sub dir/broken,%.yaml": BROKEN,
        "-": "",
        "tight.yaml": FITS.replace("H100-80GB", "L4-24GB"),
    }
    return check_files(load_text(text, path, directory) for path, text in texts.items())


def test_all_formats_of_the_design_are_there() -> None:
    assert format_names() == ("text", "concise", "github", "gitlab", "json", "junit", "sarif")


def test_an_unknown_format_is_refused(report: CheckReport) -> None:
    with pytest.raises(KeyError):
        write(report, "yaml")


@pytest.mark.parametrize("name", format_names())
def test_no_format_shows_a_secret_or_a_terminal_escape(report: CheckReport, name: str) -> None:
    text = write(report, name)
    assert SECRET not in text
    assert "\x1b" not in text
    assert text.endswith("\n")


def test_json_is_valid_by_the_published_schema(report: CheckReport) -> None:
    data = json.loads(write(report, "json"))
    jsonschema.validate(data, json.loads(report_text()))
    assert [file["verdict"] for file in data["files"]][:3] == ["fits", "invalid", "invalid"]


def test_sarif_is_valid_by_the_published_schema(report: CheckReport) -> None:
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(json.loads(write(report, "sarif")))


def test_sarif_says_the_fix_in_a_sentence_of_its_own() -> None:
    report = check_files([load_text(FITS.replace("0.25.1", "0.25"), "a.yaml", Path.cwd())])
    (run,) = json.loads(write(report, "sarif"))["runs"]
    messages = [result["message"]["text"] for result in run["results"]]
    assert 'targets.vllm.version is 0.25; expected text. Put it in quotes: "0.25".' in messages


def test_sarif_keeps_to_what_github_takes(report: CheckReport) -> None:
    """docs.github.com, "SARIF support for code scanning": the properties that an upload needs."""
    text = write(report, "sarif")
    (run,) = json.loads(text)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len(text) < 10_000_000
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert len(rule["shortDescription"]["text"]) <= 1024
        assert len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"]
    fingerprints = [result["partialFingerprints"]["servespec/v1"] for result in run["results"]]
    assert len(set(fingerprints)) == len(fingerprints)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert not uri.startswith("/")
        assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri)
        assert location["physicalLocation"]["region"]["startLine"] >= 1


def test_a_fingerprint_stays_when_lines_move_and_figures_change() -> None:
    def fingerprints(text: str) -> list[str]:
        one = check_files([load_text(text, "a.yaml")])
        return [issue["fingerprint"] for issue in json.loads(write(one, "gitlab"))]

    before = fingerprints(BROKEN.replace("count: yes", "count: -1"))
    assert before == fingerprints("# moved\n\n" + BROKEN.replace("count: yes", "count: -2"))
    assert before != fingerprints(BROKEN.replace("count: yes", "nodes: -1"))


def test_gitlab_gets_what_its_documentation_asks_for(report: CheckReport) -> None:
    """docs.gitlab.com, "Code Quality report format"."""
    issues = json.loads(write(report, "gitlab"))
    schema = {
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": ["description", "check_name", "fingerprint", "severity", "location"],
            "properties": {
                "description": {"type": "string", "minLength": 1},
                "check_name": {"type": "string", "pattern": "^SV[0-9]{3}$"},
                "fingerprint": {"type": "string", "minLength": 1},
                "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
                "location": {
                    "type": "object",
                    "required": ["path", "lines"],
                    "properties": {
                        "path": {"type": "string", "not": {"pattern": r"^(\./|/)"}},
                        "lines": {
                            "type": "object",
                            "required": ["begin"],
                            "properties": {"begin": {"type": "integer", "minimum": 1}},
                        },
                    },
                },
            },
        },
    }
    jsonschema.validate(issues, schema)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)


def test_junit_is_valid_by_the_schema_of_jenkins(report: CheckReport) -> None:
    schema = xmlschema.XMLSchema10(str(SCHEMAS / "junit-10.xsd"))
    text = write(report, "junit")
    schema.validate(text.split("\n", 1)[1])
    root = xmlschema.XMLResource(text.split("\n", 1)[1]).root
    assert root.get("failures") == str(sum(suite.get("failures") != "0" for suite in root))
    cases = root.findall("./testsuite/testcase")
    assert root.get("tests") == str(len(cases))


def test_github_annotations_escape_what_the_runner_would_take_for_syntax(report: CheckReport) -> None:
    """actions/toolkit, command.ts: ``%``, line ends, and in properties ``:`` and ``,``."""
    lines = write(report, "github").splitlines()
    assert len(lines) == len(list(report.diagnostics()))
    for line in lines:
        match = re.fullmatch(r"::(error|warning|notice) ([^:]+)::(.+)", line)
        assert match, line
        properties = dict(pair.split("=", 1) for pair in match[2].split(","))
        assert set(properties) <= {"file", "title", "line", "endLine", "col", "endColumn"}
    assert any("file=sub dir/broken%2C%25.yaml" in line for line in lines)


def test_concise_lines_are_read_by_editors(report: CheckReport) -> None:
    for line in write(report, "concise").splitlines():
        assert re.match(r".+:\d+:\d+: (error|warning|info) SV\d{3} ", line)


def test_text_shows_the_line_with_a_caret_below_and_the_way_out(report: CheckReport) -> None:
    text = write(report, "text")
    assert (
        " --> sub dir/broken,%.yaml:6:20\n"
        "  |\n"
        "6 | parallel: {expert: yes}\n"
        "  |                    ^^^\n"
        "  = help: write true: YAML 1.2 takes 'yes' as text\n"
    ) in text
    assert "env: {HF_TOKEN: *" in text


def test_text_is_in_colour_and_linked_only_where_a_terminal_shows_it(report: CheckReport) -> None:
    dressed = write(report, "text", Style(colour=True, links=True))
    assert "\x1b]8;;https://servespec.dev/rules/SV012\x1b\\" in dressed
    plain = re.sub(r"\x1b\[[0-9;]*m|\x1b\]8;;[^\x1b]*\x1b\\", "", dressed)
    assert plain == write(report, "text")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_keeps_to_the_width_of_the_terminal(report: CheckReport, width: int) -> None:
    budgets = [target for file in report.files for target in file.targets if target.budget]
    assert budgets
    for target in budgets:
        assert max(map(len, target_lines(target, "heading", Style(width=width)))) <= width


def test_targets_without_a_budget_share_one_line() -> None:
    text = write(check_files([load_text(FITS.replace("H100-80GB", "H100-90GB"), "a.yaml")]), "text")
    verdicts = [line for line in text.splitlines() if line.endswith(": invalid")]
    assert len(verdicts) == 1
    assert verdicts[0].startswith("a.yaml: ")


LARGE = "servespec: v1\nname: large\nmodel: {id: meta-llama/Llama-3.3-70B-Instruct}\n"


@pytest.mark.parametrize(
    "rest",
    [
        "hardware: {gpu: H100-80GB}\n",
        "hardware: {gpu: H100-80GB, reserved_gib: 100}\n",
        "hardware: {gpu: H100-80GB}\nlimits: {max_batched_tokens: 131072}\n",
        "hardware: {gpu: MI300X-192GB}\nlimits: {max_batched_tokens: 131072}\n",
        "hardware: {gpu: MI300X-192GB}\nlimits: {gpu_memory_fraction: 0.05}\n",
        "hardware: {gpu: H200-141GB}\n",
        "hardware: {gpu: cpu}\nkv_cache: {space_gib: 1}\n",
    ],
)
def test_what_is_missing_is_said_as_missing_not_as_a_negative_size(rest: str) -> None:
    report = check_files([load_text(LARGE + rest, "a.yaml")])
    assert any(d.code in ("SV101", "SV102") for d in report.diagnostics())
    shown = write(report, "text") + "".join(explain_file(file, Style()) for file in report.files)
    assert not re.search(r"(?<![\w.])-\d+\.\d\d (?!leaves nothing)", shown), shown
    assert "of 0.00 on the device" not in shown


def test_weights_beyond_the_device_are_one_finding_of_each_engine() -> None:
    report = check_files([load_text(LARGE + "hardware: {gpu: H100-80GB}\n", "a.yaml")])
    told = [d for d in report.diagnostics() if d.code == "SV101"]
    assert sorted(str(d.engine) for d in told) == ["sglang", "tgi", "vllm"]
    assert all("the weights" in d.message and d.span and d.span.line == 4 for d in told)
