"""What a project says about findings: configuration, ignores, fixes."""

from __future__ import annotations

from pathlib import Path

import pytest

from servespec.cli import invoke

SPEC = """\
servespec: v1
name: small
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
server: {host: 0.0.0.0}
targets: {vllm: {version: 0.25.1.dev1}}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def codes(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, str]:
    capsys.readouterr()
    code = invoke(["check", "-f", "concise", *options, str(path)])
    assert code in (0, 1)
    lines = [line.split(": ", 1)[1].split() for line in capsys.readouterr().out.splitlines()]
    return {words[1]: words[0] for words in lines}


def test_settings_are_found_above_the_spec_and_say_what_is_reported(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = codes(spec, capsys)
    assert before["SV017"] == "warning"
    (spec.parent / "servespec.toml").write_text('ignore = ["SV5"]\n[severity]\nSV017 = "error"\n')
    after = codes(spec, capsys)
    assert after["SV017"] == "error"
    assert not any(code.startswith("SV5") for code in after)
    assert set(after) == {code for code in before if not code.startswith("SV5")}


def test_pyproject_counts_where_it_has_the_table(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (spec.parent / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert "SV017" in codes(spec, capsys)
    (spec.parent / "pyproject.toml").write_text("[tool.servespec]\nselect = ['SV5']\n")
    assert set(codes(spec, capsys)) <= {"SV501", "SV503", "SV505"}
    assert "SV017" in codes(spec, capsys, "--select", "SV0")


def test_a_pyproject_of_another_shape_says_nothing_or_why_it_is_wrong(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (spec.parent / "pyproject.toml").write_text("tool = 1  # not [tool.servespec]\n")
    assert "SV017" in codes(spec, capsys)
    (spec.parent / "pyproject.toml").write_text("[tool]\nservespec = 1  # not [tool.servespec]\n")
    assert invoke(["check", str(spec)]) == 2
    assert "pyproject.toml: tool.servespec: input should be" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_a_code_that_there_is_not_is_misuse_and_finds_nothing(
    spec: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert invoke(["check", str(spec), option, "SV1,SV999"]) == 2
    assert "begins with 'SV999'" in capsys.readouterr().err


def test_files_of_a_pattern_can_be_spared(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (spec.parent / "servespec.toml").write_text(
        '[per-file-ignores]\n"spec.*" = ["SV017"]\n"other/*" = ["SV5"]\n'
    )
    found = codes(spec, capsys)
    assert "SV017" not in found
    assert any(code.startswith("SV5") for code in found)


def test_targets_of_the_project_are_checked_when_none_is_named(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (spec.parent / "servespec.toml").write_text('targets = ["vllm"]\n')
    spec.write_text(SPEC.replace("targets: {vllm: {version: 0.25.1.dev1}}\n", ""))
    assert invoke(["check", str(spec)]) == 0
    out = capsys.readouterr().out
    assert "vllm" in out
    assert "tgi" not in out


@pytest.mark.parametrize(
    ("table", "code", "key"),
    [
        ('gpus = ["L4*"]', "SV592", "hardware.gpu"),
        ('models = ["qwen/*"]', "SV593", "model.id"),
        ('images = ["mirror.example/*"]', "SV591", "targets.vllm.image"),
    ],
)
def test_policy_forbids_what_it_does_not_list(
    spec: Path, capsys: pytest.CaptureFixture[str], table: str, code: str, key: str
) -> None:
    spec.write_text(SPEC.replace("0.25.1.dev1", "0.25.1, image: docker.io/vllm/vllm-openai:v0.25.1"))
    assert code not in codes(spec, capsys)
    (spec.parent / "servespec.toml").write_text(f"[policy]\n{table}\n")
    assert codes(spec, capsys)[code] == "error", key


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('slect = ["SV1"]', "did you mean 'select'"),
        ("ignore = 1", "ignore"),
        ("[policy]\nimage = []", "did you mean 'images'"),
        ('targets = ["vlm"]', "no engine"),
        ('select = ["SV1", "SV999"]', "servespec.toml: no rule's code begins with 'SV999'"),
        ('[severity]\nsv1 = "error"', "begins with 'sv1'"),
        ('[per-file-ignores]\n"*.yaml" = ["E501"]', "begins with 'E501'"),
        ("= nonsense", "servespec.toml"),
        ('[severity]\nSV1 = "fatal"', "severity.SV1"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_misuse(
    spec: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    (spec.parent / "servespec.toml").write_text(text + "\n")
    assert invoke(["check", str(spec)]) == 2
    assert words in capsys.readouterr().err


def test_a_comment_ignores_findings_of_its_line_or_the_next(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {"SV503", "SV017"} <= set(codes(spec, capsys))
    lines = SPEC.splitlines()
    lines[4] += "  # servespec: ignore[SV503] behind a gateway"
    lines.insert(5, "# servespec: ignore[SV0] a build of our own")
    spec.write_text("\n".join(lines) + "\n")
    found = codes(spec, capsys)
    assert not {"SV503", "SV017", "SV008"} & set(found)


def test_an_ignore_that_ignores_nothing_is_found_and_removed(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SPEC.replace("name: small", "name: small # mine  # servespec: ignore[SV402] why")
    spec.write_text(text.replace("server:", "# servespec: ignore[SV999]\nserver:"))
    assert "SV008" in codes(spec, capsys)
    codes(spec, capsys, "--fix")
    assert spec.read_text() == SPEC.replace("name: small", "name: small # mine")


def test_an_ignore_inside_of_a_value_is_none(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec.write_text(SPEC + 'env: {A: "x # servespec: ignore[SV402]"}\n')
    assert "SV008" not in codes(spec, capsys)


def test_mistakes_of_the_language_cannot_be_ignored(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec.write_text(SPEC.replace("0.0.0.0}", "0.0.0.0, port: -1}  # servespec: ignore[SV013]"))
    assert codes(spec, capsys, "--ignore", "SV0")["SV013"] == "error"


def test_a_baseline_silences_all_that_is_there_and_nothing_new(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert codes(spec, capsys)
    assert codes(spec, capsys, "--add-ignores", "first adoption") == {}
    text = spec.read_text()
    assert "first adoption" in text
    assert codes(spec, capsys, "--add-ignores", "again") == {}
    assert spec.read_text() == text
    spec.write_text(text.replace("H100-80GB", "H100-90GB"))
    assert "SV015" in codes(spec, capsys)


def test_fixing_keeps_comments_and_fixing_twice_changes_nothing(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = SPEC.replace("H100-80GB}", "H100-90GB, cuont: 2} # which").replace(
        "host: 0.0.0.0", "port: '80', host: 0.0.0.0"
    )
    spec.write_text(wrong + "# the end\nkv_cache: {prefix_caching: on}   # always\n")
    spec.chmod(0o640)
    codes(spec, capsys, "--fix")
    safe = spec.read_text()
    assert "port: 80, " in safe
    assert "kv_cache: {prefix_caching: true}   # always\n" in safe
    assert "cuont" in safe
    codes(spec, capsys, "--fix", "--unsafe-fixes")
    assert "hardware: {gpu: H100-80GB, count: 2} # which\n" in spec.read_text()
    once = spec.read_text()
    codes(spec, capsys, "--fix", "--unsafe-fixes")
    assert spec.read_text() == once
    assert spec.stat().st_mode & 0o777 == 0o640


def test_a_diff_writes_nothing_and_shows_no_secret(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = SPEC.replace("server:", "env: {HF_TOKEN: hunter2}\nkv_cache: {prefix_caching: on}\nserver:")
    spec.write_text(wrong)
    assert invoke(["check", "--diff", str(spec)]) == 1
    out = capsys.readouterr().out
    assert "+kv_cache: {prefix_caching: true}" in out
    assert "hunter2" not in out
    assert spec.read_text() == wrong
    spec.write_text(SPEC)
    assert invoke(["check", "--diff", str(spec)]) == 0


def test_a_diff_tells_of_fixes_that_only_guess(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec.write_text(SPEC.replace("server:", "limts: {max_model_len: 4096}\nserver:"))
    assert invoke(["check", "--diff", str(spec)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "0 files would change; --unsafe-fixes adds 1 more that guess" in captured.err
    assert invoke(["check", "--diff", "--unsafe-fixes", str(spec)]) == 1
    assert "+limits: {max_model_len: 4096}" in capsys.readouterr().out


def test_a_file_changed_meanwhile_is_not_overwritten(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from servespec.cli import _fixing

    original = _fixing.fix_file

    def slow(*arguments: object, **options: object) -> object:
        fixed = original(*arguments, **options)  # type: ignore[arg-type]
        spec.write_text("# somebody else\n")
        return fixed

    spec.write_text(SPEC.replace("host: 0.0.0.0", "port: '80'"))
    monkeypatch.setattr(_fixing, "fix_file", slow)
    assert invoke(["check", "--fix", str(spec)]) == 2
    assert spec.read_text() == "# somebody else\n"


def test_a_link_stays_a_link_when_it_is_fixed(spec: Path, tmp_path: Path) -> None:
    spec.write_text(SPEC.replace("host: 0.0.0.0", "port: '80'"))
    link = tmp_path / "link.yaml"
    link.symlink_to(spec)
    invoke(["check", "--fix", str(link)])
    assert link.is_symlink()
    assert "port: 80}" in spec.read_text()
