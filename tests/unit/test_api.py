"""``import servespec``: the public functions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import servespec
from servespec.errors import ServespecError, UnknownGPUError, UnknownModelError, UsageError

SPEC = """\
servespec: v1
name: small
model: {id: meta-llama/Llama-3.1-8B-Instruct}
hardware: {gpu: H100-80GB}
limits: {max_model_len: 8192}
targets: {vllm: {version: 0.25.1}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    return path


def test_the_functions_of_the_design_are_there_whatever_was_imported_before() -> None:
    import servespec.check
    import servespec.render.files
    import servespec.smoke.probe

    for name in ("load", "resolve", "check", "render", "run", "smoke"):
        assert callable(getattr(servespec, name)), name
        assert getattr(servespec, name).__module__ == "servespec.api"
    with pytest.raises(AttributeError):
        _ = servespec.nonsense  # type: ignore[attr-defined]


def test_importing_servespec_imports_next_to_nothing() -> None:
    code = (
        "import sys, servespec; print([m for m in ('pydantic', 'ruamel.yaml', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


def test_load_resolve_and_check_agree(path: Path) -> None:
    loaded = servespec.load(path)
    assert loaded.spec is not None
    deployment = servespec.resolve(loaded.spec, "vllm", path.parent)
    assert (deployment.version, deployment.settings.integer("max_model_len")) == ("0.25.1", 8192)
    by_path, by_spec = servespec.check(path), servespec.check([loaded])
    assert by_path == by_spec
    assert by_path.files[0].targets[0].deployment == deployment


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("H100-80GB", "H100-90GB", UnknownGPUError),
        ("meta-llama/Llama-3.1-8B-Instruct", "nobody/nothing", UnknownModelError),
        ("}\nhardware", ", config: missing.json}\nhardware", ServespecError),
    ],
)
def test_resolve_raises_what_check_reports(path: Path, old: str, new: str, error: type[Exception]) -> None:
    path.write_text(SPEC.replace(old, new))
    spec = servespec.load(path).spec
    assert spec is not None
    with pytest.raises(error):
        servespec.resolve(spec, "vllm", path.parent)


def test_an_engine_that_there_is_not_is_misuse(path: Path) -> None:
    spec = servespec.load(path).spec
    assert spec is not None
    with pytest.raises(UsageError, match="vlm"):
        servespec.resolve(spec, "vlm", path.parent)
