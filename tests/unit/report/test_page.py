"""The HTML page: what it says is what ``check`` says, and nothing of a spec gets out of its place."""

from __future__ import annotations

import json
import shlex
import shutil
import struct
import subprocess
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from servespec.api import check
from servespec.bench.plan import Plan
from servespec.bench.report import BenchReport, Spread
from servespec.bench.report import write as write_bench
from servespec.check import check_files
from servespec.cli import invoke
from servespec.errors import UsageError
from servespec.render import render
from servespec.report import write
from servespec.report.model import CheckReport
from servespec.report.page import page, read_evidence
from servespec.smoke.probe import Evidence, Outcome, Probe
from servespec.smoke.reconcile import Agreement, Comparison
from servespec.smoke.report import SmokeReport
from servespec.smoke.report import write as write_smoke
from servespec.smoke.run_probes import Result
from servespec.spec.loader import load_text

EXAMPLES = Path(__file__).parents[3] / "examples"
THREE = EXAMPLES / "three-engines.yaml"
SPREAD = Spread(10.0, 9.0, 12.0, 13.0, 14.0, 15.0)
HOSTILE = """\
servespec: v1
name: x
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
server: {served_model_name: "</code></pre><script>alert(1)</script>{{ 7 * 191 }}"}
env: {HARMLESS: "<img src=x onerror=alert(2)>"}
targets: {vllm: {args: {ARGS}}, sglang: {}}
"""


class Document(HTMLParser):
    """Tags, attributes and the figures of each target."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.figures: dict[tuple[str, str], dict[str, float]] = {}
        self.commands: list[str] = []
        self._path, self._engine = "", ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        self._path = values.get("data-path") or self._path
        if tag == "section":
            self._engine = values.get("data-engine") or self._engine
        if tag == "data":
            name, value = str(values["data-name"]), float(str(values["value"]))
            self.figures.setdefault((self._path, self._engine), {}).setdefault(name, value)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if [tag for tag, _ in self.tags[-1:]] == ["code"] and " \\\n" in data:
            self.commands.append(data)


@pytest.fixture(scope="module")
def examples() -> CheckReport:
    return check(sorted(EXAMPLES.glob("*.yaml")))


def smoke_report(message: str = "serves it") -> SmokeReport:
    probe = Probe(
        name="model", description="", run=lambda server: Evidence(outcome=Outcome.passed, message="")
    )
    return SmokeReport(
        name="three-engines",
        engine="vllm",
        version="0.25.1",
        url="http://127.0.0.1:8000",
        results=(Result(probe, Evidence(outcome=Outcome.failed, message=message)),),
        comparisons=(
            Comparison(
                name="KV tokens", unit="tokens", predicted=100, observed=96, agreement=Agreement.within
            ),
        ),
    )


def bench_report() -> BenchReport:
    plan = Plan(requests=8, input_tokens=16, output_tokens=4, concurrency=2, vocabulary=100)
    return BenchReport(
        name="three-engines",
        engine="sglang",
        version="0.5.17",
        url="http://127.0.0.1:30000",
        plan=plan,
        seconds=2.0,
        completed=8,
        failed=0,
        input_tokens=128,
        output_tokens=32,
        cached_tokens=64,
        requests_per_second=4.0,
        output_tokens_per_second=4321.5,
        total_tokens_per_second=80.0,
        ttft_ms=SPREAD,
        itl_ms=SPREAD,
        tpot_ms=SPREAD,
        e2e_ms=SPREAD,
        objectives=(),
        errors=(),
    )


def test_every_figure_is_that_of_check_format_json(examples: CheckReport) -> None:
    shown = Document(page(examples)).figures
    compared = 0
    for file in json.loads(write(examples, "json"))["files"]:
        for target in file["targets"]:
            if target["memory"] is None:
                continue
            figures = shown[file["path"], target["engine"]]
            wanted = target["memory"] | {"estimated_max_model_len": target["estimated_max_model_len"]}
            for name in set(wanted) - {"terms", "outside"}:
                assert figures[name] == wanted[name], (file["path"], target["engine"], name)
                compared += 1
    assert compared >= 12 * 15


def test_verdicts_settings_and_findings_are_those_of_check_format_json(examples: CheckReport) -> None:
    document = Document(page(examples))
    sections = [values for tag, values in document.tags if tag == "section" and "data-engine" in values]
    data = json.loads(write(examples, "json"))["files"]
    targets = [target for file in data for target in file["targets"]]
    assert [(s["data-engine"], s["data-version"], s["data-verdict"]) for s in sections] == [
        (target["engine"], target["version"], target["verdict"]) for target in targets
    ]
    words = set(document.texts)
    for target in targets:
        assert set(target["settings"]) <= words
        assert {row["from"] for row in target["settings"].values()} <= words
    text = "".join(document.texts)
    for file in data:
        for found in file["diagnostics"]:
            assert found["code"] in words
            assert found["message"] in text


def test_the_command_is_the_one_that_render_writes() -> None:
    report = check(THREE)
    commands = Document(page(report)).commands
    wanted = []
    for target in report.files[0].targets:
        assert target.deployment is not None
        (made,) = render(target.deployment, "argv")
        wanted.append(json.loads(made.text)["argv"])
    assert [shlex.split(command.replace(" \\\n", " ")) for command in commands] == wanted


def test_the_page_needs_nothing_but_itself(examples: CheckReport) -> None:
    text = page(examples)
    tags = Document(text).tags
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in tags}
    assert not any(name in values for _, values in tags for name in ("src", "srcset", "style", "xlink:href"))
    assert {tag for tag, values in tags if "href" in values} == {"a"}
    assert "@import" not in text
    assert "url(" not in text


@pytest.mark.parametrize(
    ("args", "seen"),
    [
        ("{}", (1, 2)),
        ("{chat_template: ']]></style><svg onload=alert(3)>', '><script>alert(4)': 1}", (4,)),
    ],
)
def test_a_hostile_spec_stays_text(args: str, seen: tuple[int, ...]) -> None:
    report = check_files([load_text(HOSTILE.replace("{ARGS}", args), '<script>"name.yaml')])
    text = page(report)
    document = Document(text)
    assert not {"script", "img"} & {tag for tag, _ in document.tags}
    assert not any(name.startswith("on") for _, values in document.tags for name in values)
    shown = "".join(document.texts)
    for number in seen:
        assert f"alert({number})" in shown, number
    assert "{{ 7 * 191 }}" in shown
    assert "1337" not in shown


def test_hostile_evidence_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "smoke.json"
    path.write_text(write_smoke(smoke_report("<script>alert(1)</script>\x1b[31m"), "json"))
    report = check(THREE)
    text = page(report, read_evidence([path], [], report))
    assert "<script" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_a_literal_secret_is_nowhere_on_the_page() -> None:
    secret = "hf_" + "A1b2C3d4" * 4
    text = (
        "servespec: v1\nname: x\nmodel: {id: meta-llama/Llama-3.1-8B-Instruct}\nhardware: {gpu: H100-80GB}\n"
        f"env:\n  HF_TOKEN: {secret}\ntargets: {{vllm: {{args: {{api_key: {secret}}}}}}}\n"
    )
    made = page(check_files([load_text(text, "a.yaml")]))
    assert "SV501" in made
    assert secret not in made


def test_evidence_stands_with_its_target(tmp_path: Path) -> None:
    smoke, bench = tmp_path / "smoke.json", tmp_path / "bench.json"
    smoke.write_text(write_smoke(smoke_report(), "json"))
    bench.write_text(write_bench(bench_report(), "json"))
    report = check(THREE)
    text = page(report, read_evidence([smoke], [bench], report))
    vllm, sglang = text.index('data-engine="vllm"'), text.index('data-engine="sglang"')
    tgi = text.index('data-engine="tgi"')
    assert vllm < text.index("Smoke test") < sglang < text.index(">Bench ") < tgi
    assert Document(text).figures[str(THREE), "sglang"]["output_tokens_per_second"] == 4321.5
    assert "100 tokens" in text
    assert "96 tokens" in text


CHAT = """\
servespec: v1
name: chat
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
limits: {max_model_len: 8192}
workload: {input_tokens: 512, output_tokens: 128, requests_per_second: 50}
objectives: {itl_ms: 50}
targets: {vllm: {version: 0.25.1}, sglang: {version: 0.5.17}}
"""


def test_the_alternatives_of_a_plan_stand_on_the_page_of_its_spec(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, planned, prices = (tmp_path / name for name in ("chat.yaml", "plan.json", "prices.yaml"))
    spec.write_text(CHAT, "utf-8")
    prices.write_text("currency: EUR\ngpus: {L4: 0.7, A100-80GB: 1.6, H100: 2.5}\n", "utf-8")
    asked = ["--gpus", "L4,A100-80GB,H100", "--prices", str(prices), "--format", "json"]
    assert invoke(["plan", str(spec), *asked]) == 0
    planned.write_text(text := capsys.readouterr().out, "utf-8")
    out = tmp_path / "page.html"
    assert invoke(["report", str(spec), "--plan", str(planned), "-o", str(out)]) == 0
    shown = " ".join(Document(out.read_text("utf-8")).texts)
    plan = json.loads(text)
    answers = [*plan["answers"], *plan["of_each"]]
    assert {answer["gpu"] for answer in answers} == {"L4-24GB", "A100-80GB", "H100-80GB"}
    for answer in answers:
        low, high = (
            answer["replicas"] * answer["estimate"][end]["output_tokens_per_second"]
            for end in ("slow", "fast")
        )
        assert answer["gpu"] in shown
        assert f"{answer['price_per_hour']:,.2f} EUR" in shown
        assert f"{low:,.0f}…{high:,.0f}" in shown
    assert plan["estimates"] in shown
    for formula in plan["formulas"].values():
        assert formula in shown
    for refusal in plan["not"]:
        assert refusal["words"] in shown
        assert refusal["example"] in shown


def test_a_plan_of_another_spec_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, planned = tmp_path / "chat.yaml", tmp_path / "plan.json"
    spec.write_text(CHAT, "utf-8")
    assert invoke(["plan", str(spec), "--gpus", "H100", "--format", "json"]) == 0
    planned.write_text(capsys.readouterr().out, "utf-8")
    report = check(THREE)
    with pytest.raises(UsageError, match="of chat, which is not on this page"):
        read_evidence([], [], report, [planned])


def test_hostile_plans_stay_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec, planned = tmp_path / "chat.yaml", tmp_path / "plan.json"
    spec.write_text(CHAT, "utf-8")
    assert invoke(["plan", str(spec), "--gpus", "H100", "--format", "json"]) == 0
    planned.write_text(capsys.readouterr().out.replace("H100-80GB", "<script>alert(1)</script>"), "utf-8")
    report = check(spec)
    assert "<script" not in page(report, read_evidence([], [], report, [planned]))


def test_targets_stand_side_by_side_under_what_the_spec_is_about(tmp_path: Path) -> None:
    spec = tmp_path / "chat.yaml"
    spec.write_text(CHAT, "utf-8")
    report = check(spec)
    shown = " ".join(Document(page(report)).texts)
    assert (
        "meta-llama/Llama-3.1-8B-Instruct · H100-80GB · 512 tokens in, 128 out, 50 requests a second" in shown
    )
    glance = shown[: shown.index("Findings")]
    for target in report.files[0].targets:
        assert target.budget is not None
        assert f"{target.budget.kv_tokens:,}" in glance


def test_evidence_of_another_spec_is_refused(tmp_path: Path) -> None:
    smoke = tmp_path / "smoke.json"
    smoke.write_text(write_smoke(smoke_report(), "json"))
    report = check(EXAMPLES / "tiny-cpu.yaml")
    with pytest.raises(UsageError, match="three-engines on vllm, which is not on this page"):
        read_evidence([smoke], [], report)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"name": "three-engines", "engine": 3}', "\udcff"])
def test_what_is_no_evidence_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    report = check(THREE)
    with pytest.raises(UsageError, match=r"seen\.json is not what `servespec bench --format json` writes"):
        read_evidence([], [path], report)


def test_a_page_is_renewed_and_another_file_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    for _ in range(2):
        assert invoke(["report", str(THREE), "-o", str(out)]) == 0
    first = out.read_bytes()
    assert invoke(["report", str(THREE), "-o", str(out)]) == 0
    assert out.read_bytes() == first
    out.write_text("mine")
    assert invoke(["report", str(THREE), "-o", str(out)]) == 2
    assert "add --force" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert invoke(["report", str(THREE), "-o", str(out), "--force"]) == 0


def chromium(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium is installed here")
    fixed = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr")
    done = subprocess.run(
        [program, *fixed, f"--user-data-dir={folder / 'profile'}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done


def corner(png: Path) -> tuple[int, ...]:
    """The colour of the top left pixel: every filter of PNG leaves that one as it is."""
    data = png.read_bytes()
    compressed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            compressed += data[at + 8 : at + 8 + length]
        at += 12 + length
    return tuple(zlib.decompress(compressed)[1:4])


@pytest.mark.slow
def test_chromium_shows_the_page_without_a_word_on_its_console(examples: CheckReport, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    hostile = check_files([load_text(HOSTILE.replace("{ARGS}", "{}"), "hostile.yaml")])
    file.write_text(page(CheckReport(files=(*examples.files, *hostile.files))), encoding="utf-8")
    done = chromium("--dump-dom", file.as_uri(), folder=tmp_path)
    assert "CONSOLE" not in done.stderr
    drawn = Document(done.stdout)
    assert drawn.figures == Document(file.read_text(encoding="utf-8")).figures
    assert sum(tag == "svg" for tag, _ in drawn.tags) == len(drawn.figures)


@pytest.mark.slow
def test_chromium_shows_the_console_of_a_page_that_has_something_to_say(tmp_path: Path) -> None:
    """The other half of the test above: silence means something."""
    file = tmp_path / "noisy.html"
    file.write_text("<script>console.error('heard')</script>")
    assert "heard" in chromium("--dump-dom", file.as_uri(), folder=tmp_path).stderr


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "ground"), [(1, (0xFB, 0xFB, 0xFA)), (0, (0x14, 0x17, 0x1A))])
def test_the_page_is_light_or_dark_as_the_reader_likes_it(
    scheme: int, ground: tuple[int, ...], tmp_path: Path
) -> None:
    file, picture = tmp_path / "report.html", tmp_path / "shot.png"
    file.write_text(page(check(THREE)), encoding="utf-8")
    chosen = f"--blink-settings=preferredColorScheme={scheme}"
    chromium(chosen, "--window-size=800,600", f"--screenshot={picture}", file.as_uri(), folder=tmp_path)
    assert corner(picture) == ground
