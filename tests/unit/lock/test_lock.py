"""The lock: written the same every time, enough to check offline, and drift is told at its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from servespec.check import check_file
from servespec.cli import invoke
from servespec.errors import SourceError
from servespec.memory.budget import Verdict
from servespec.models.sources import catalogue
from servespec.models.sources.found import Found
from servespec.report.model import FileReport
from servespec.spec.loader import load

REVISION = "0123456789abcdef0123456789abcdef01234567"
DIGEST = f"sha256:{'d' * 64}"
SPEC = f"""\
servespec: v1
name: small
model:
  id: example/in-no-catalogue
  revision: {REVISION}
hardware: {{gpu: L4-24GB}}
limits: {{max_model_len: 2048}}
targets:
  vllm: {{version: 0.25.1}}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec of a model that only the Hub has. Hub and registries are doubles: the one gives a configuration of the
    catalogue, the others a digest."""
    known = catalogue.read("HuggingFaceTB/SmolLM2-135M-Instruct")
    assert known is not None

    def read(model: str, revision: str | None) -> Found:
        assert (model, revision) == ("example/in-no-catalogue", REVISION)
        return Found(config=known.config, source=f"Hub {model}@{REVISION[:12]}", revision=REVISION)

    monkeypatch.setattr("servespec.models.sources.hub.read", read)
    monkeypatch.setattr("servespec.lock.registry.digest_of", lambda image: DIGEST)
    path = tmp_path / "small.yaml"
    path.write_text(SPEC, "utf-8")
    return path


def checked(path: Path) -> FileReport:
    return check_file(load(path))


def drifts(path: Path) -> list[tuple[str | None, str]]:
    return [(d.key, d.message) for d in checked(path).diagnostics if d.code == "SV019"]


def test_a_model_that_only_the_hub_has_is_checked_offline_from_the_lock(spec: Path) -> None:
    assert checked(spec).verdict is Verdict.unknown
    assert invoke(["lock", "--online", str(spec)]) == 0
    report = checked(spec)
    assert report.verdict is Verdict.fits
    assert drifts(spec) == []
    (target,) = report.targets
    assert target.deployment is not None
    assert target.deployment.model.source == "servespec.lock (Hub)"
    assert target.deployment.model.revision == REVISION


def test_a_lock_is_the_same_text_every_time(spec: Path) -> None:
    lock = spec.with_name("servespec.lock")
    assert invoke(["lock", "--online", str(spec)]) == 0
    first = lock.read_bytes()
    assert invoke(["lock", str(spec)]) == 0  # this time from the lock itself, offline
    assert lock.read_bytes() == first
    assert invoke(["lock", "--check", str(spec)]) == 0


def test_another_revision_is_not_taken_from_the_lock(spec: Path) -> None:
    assert invoke(["lock", "--online", str(spec)]) == 0
    spec.write_text(SPEC.replace(REVISION, "f" * 40), "utf-8")
    assert checked(spec).verdict is Verdict.unknown


def test_a_version_that_moved_on_is_found_at_its_line(spec: Path) -> None:
    assert invoke(["lock", "--online", str(spec)]) == 0
    spec.write_text(SPEC.replace("0.25.1", "0.25.0"), "utf-8")
    ((key, message),) = drifts(spec)
    assert key == "targets.vllm.version"
    assert "0.25.1 is locked, 0.25.0 holds now" in message
    assert invoke(["lock", "--check", str(spec)]) == 1


def test_an_image_with_a_digest_is_pinned(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = f"vllm/vllm-openai:v0.25.1@sha256:{'a' * 64}"
    with_image = SPEC.replace("0.25.1}", f"0.25.1, image: '{image}'}}")
    spec.write_text(with_image, "utf-8")
    assert invoke(["lock", "--online", str(spec)]) == 0
    document = json.loads(spec.with_name("servespec.lock").read_text("utf-8"))
    assert document["specs"]["small"]["targets"]["vllm"]["image_digest"] == f"sha256:{'a' * 64}"
    spec.write_text(with_image.replace("a" * 64, "b" * 64), "utf-8")
    assert [key for key, _ in drifts(spec)] == ["targets.vllm.image"]


def rendered(spec: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert invoke(["render", str(spec), "-f", "compose"]) == 0
    return capsys.readouterr().out


def test_an_image_is_rendered_by_the_digest_that_the_lock_has(
    spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["lock", "--online", str(spec)]) == 0
    assert f"image: docker.io/vllm/vllm-openai:v0.25.1@{DIGEST}" in rendered(spec, capsys)
    assert invoke(["lock", str(spec)]) == 0  # offline, what was found is kept
    assert f"image: docker.io/vllm/vllm-openai:v0.25.1@{DIGEST}" in rendered(spec, capsys)
    assert drifts(spec) == []
    spec.write_text(SPEC.replace("0.25.1", "0.25.0"), "utf-8")
    assert f"@{DIGEST}" not in rendered(spec, capsys)  # it is no digest of another image


def test_a_registry_that_tells_nothing_is_named_and_the_rest_is_locked(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(image: str) -> str:
        raise SourceError(f"the registry tells no digest of {image}: it answers with 403")

    monkeypatch.setattr("servespec.lock.registry.digest_of", refuse)
    assert invoke(["lock", "--online", str(spec)]) == 0
    assert "vllm/vllm-openai:v0.25.1: it answers with 403; it is not pinned" in capsys.readouterr().err
    document = json.loads(spec.with_name("servespec.lock").read_text("utf-8"))
    assert document["specs"]["small"]["targets"]["vllm"]["image_digest"] is None
    assert document["configurations"]


def test_a_new_calibration_is_drift(spec: Path) -> None:
    from servespec.calibration.model import CalibratedTerm, Calibration, Conditions
    from servespec.calibration.store import save_calibration

    assert invoke(["lock", "--online", str(spec)]) == 0
    term = CalibratedTerm(
        name="activation_bytes",
        when=Conditions(eager=False, tensor_parallel=1),
        offset_bytes=1 << 20,
        spread_bytes=1 << 20,
        rows=3,
    )
    calibration = Calibration(name="mine", engine="vllm", version="0.25.1", gpu="L4-24GB", terms=(term,))
    save_calibration([calibration], spec.parent / ".servespec" / "calibration" / "mine.json")
    assert [key for key, _ in drifts(spec)] == ["targets.vllm"]


def test_a_configuration_changed_by_hand_is_refused(spec: Path) -> None:
    assert invoke(["lock", "--online", str(spec)]) == 0
    lock = spec.with_name("servespec.lock")
    lock.write_text(
        lock.read_text("utf-8").replace('"num_hidden_layers": 30', '"num_hidden_layers": 3'), "utf-8"
    )
    report = checked(spec)
    assert report.verdict is Verdict.unknown
    assert any("not the one that was locked" in d.message for d in report.diagnostics)


def test_a_model_of_the_catalogue_is_pinned_by_its_digest_alone(spec: Path) -> None:
    text = SPEC.replace("example/in-no-catalogue", "HuggingFaceTB/SmolLM2-135M-Instruct")
    spec.write_text(text, "utf-8")
    assert invoke(["lock", str(spec)]) == 0
    document = json.loads(spec.with_name("servespec.lock").read_text("utf-8"))
    assert document["configurations"] == {}
    assert document["specs"]["small"]["model"]["digest"].startswith("sha256:")
    assert drifts(spec) == []


def test_locking_one_spec_keeps_the_others_and_drops_what_nobody_needs(spec: Path) -> None:
    other = spec.with_name("other.yaml")
    other.write_text(
        SPEC.replace("name: small", "name: other").replace(
            "example/in-no-catalogue", "HuggingFaceTB/SmolLM2-135M-Instruct"
        ),
        "utf-8",
    )
    assert invoke(["lock", "--online", str(spec)]) == 0
    assert invoke(["lock", str(other)]) == 0
    document = json.loads(spec.with_name("servespec.lock").read_text("utf-8"))
    assert set(document["specs"]) == {"small", "other"}
    assert len(document["configurations"]) == 1
    spec.write_text(SPEC.replace("example/in-no-catalogue", "HuggingFaceTB/SmolLM2-135M-Instruct"), "utf-8")
    assert invoke(["lock", str(spec)]) == 0
    assert json.loads(spec.with_name("servespec.lock").read_text("utf-8"))["configurations"] == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "lock.v9", "specs": {}, "configurations": {}}'])
def test_a_file_that_is_no_lock_is_said_to_be_none(
    spec: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spec.with_name("servespec.lock").write_text(text, "utf-8")
    assert invoke(["lock", str(spec)]) == 2
    assert "servespec.lock" in capsys.readouterr().err
    assert checked(spec).diagnostics


def test_two_specs_of_one_name_cannot_share_a_lock(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec.with_name("twin.yaml").write_text(SPEC, "utf-8")
    assert invoke(["lock", "--online", str(spec.parent)]) == 2
    assert "small" in capsys.readouterr().err
