"""Rendered compose files under a real container engine: the real vLLM, and a test double of TGI."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from container_images import ROOT, host_binds, make_image, search_path

import servespec
from servespec.deployment import Deployment
from servespec.engines import get_engine
from servespec.render import render
from servespec.runtime import Compose, Running, StartFailed, run
from servespec.runtime.compose import find_program
from servespec.smoke.probe import Outcome
from servespec.smoke.reconcile import Agreement

pytestmark = [pytest.mark.container, pytest.mark.usefixtures("podman")]
SpecMaker = Callable[..., Path]
DOUBLE = ROOT / "tests" / "doubles" / "tgi"
CONTRACT = ROOT / "tests" / "data" / "tgi"


@contextmanager
def up(spec: Path, engine: str, binds: dict[str, object]) -> Iterator[tuple[Deployment, Running]]:
    """The rendered compose file of the spec with the test's binds laid over it, until the block ends."""
    loaded = servespec.load(spec)
    assert loaded.spec is not None, loaded.diagnostics
    deployment = servespec.resolve(loaded.spec, engine, loaded.directory)
    more = spec.parent / "binds.yaml"
    more.write_text(json.dumps({"services": {deployment.spec.name: binds}}))
    place = Compose(deployment, find_program("podman"), more_files=(more,))
    with run(deployment, place, limit_seconds=300) as server:
        yield deployment, server


def container_of(server: Running) -> str:
    return server._backend._container  # type: ignore[attr-defined]


def containers() -> list[str]:
    listed = subprocess.run(("podman", "ps", "-a", "-q"), capture_output=True, text=True, check=True)
    return listed.stdout.split()


def is_healthy(container: str) -> bool:
    """Without systemd podman runs a health check only when it is asked to."""
    return (
        subprocess.run(
            ("podman", "healthcheck", "run", container), capture_output=True, check=False
        ).returncode
        == 0
    )


@pytest.mark.engine
def test_the_rendered_compose_file_brings_up_the_real_vllm(
    spec_file: SpecMaker, vllm_python: Path, tmp_path: Path
) -> None:
    model = tmp_path / "tiny-llama"
    maker = ROOT / "scripts" / "engines" / "tiny_model.py"
    subprocess.run([vllm_python, maker, model], check=True, capture_output=True)
    image = make_image("localhost/servespec-test/vllm:0.32.0")
    binds = {
        "volumes": host_binds(vllm_python.parents[1]),
        "environment": {"PATH": search_path([vllm_python.parent])},
    }
    lock = (Path(tempfile.gettempdir()) / "servespec-tests-engine.lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with up(spec_file("vllm", image, model), "vllm", binds) as (deployment, server):
            assert is_healthy(container_of(server))
            report = servespec.smoke(deployment, server.url, server.observed())
    assert [r for r in report.results if r.evidence.outcome is not Outcome.passed] == []
    assert {row.name: row.agreement for row in report.comparisons}["KV tokens"] is Agreement.exact
    assert containers() == []


@pytest.fixture
def tgi_image() -> str:
    """An image whose launcher is the test double; it runs in the Python of these tests."""
    files = {f"opt/tgi-double/{path.name}": path.read_bytes() for path in DOUBLE.glob("*.py")}
    files |= {f"opt/tgi-double/contract/{path.name}": path.read_bytes() for path in CONTRACT.iterdir()}
    python = Path(sys.prefix) / "bin" / "python"
    script = (
        "#!/bin/sh\nexport TGI_DOUBLE_CONTRACT=/opt/tgi-double/contract\n"
        f'exec {python} /opt/tgi-double/launcher.py "$@"\n'
    )
    files["usr-local/text-generation-launcher"] = script.encode()
    return make_image(
        "localhost/servespec-test/tgi-double:3.3.7",
        files=files,
        entrypoint="/usr-local/text-generation-launcher",
    )


def tgi_binds() -> dict[str, object]:
    return {"volumes": host_binds(Path(sys.prefix))}


def test_the_rendered_compose_file_brings_up_a_test_double_of_tgi(
    spec_file: SpecMaker, tgi_image: str
) -> None:
    spec = spec_file("tgi", tgi_image, ROOT / "examples" / "tiny-llama")
    with up(spec, "tgi", tgi_binds()) as (deployment, server):
        assert is_healthy(container_of(server))
        report = servespec.smoke(deployment, server.url, server.observed())
        assert server.observed().ready
    assert [r for r in report.results if r.evidence.outcome is not Outcome.passed] == []
    assert {
        "generate",
        "generate_stream",
        "completion",
        "streaming",
        "structured output",
        "over-long request",
    } <= {r.probe.name for r in report.results}
    assert containers() == []


def test_a_container_that_ends_gives_its_reason_and_is_taken_down(
    spec_file: SpecMaker, tgi_image: str
) -> None:
    spec = spec_file("tgi", tgi_image, ROOT / "examples" / "tiny-llama")
    document = json.loads(spec.read_text())
    document["targets"]["tgi"]["env"] = {"QUANTIZE": "int3"}
    spec.write_text(json.dumps(document))
    with pytest.raises(StartFailed) as failed, up(spec, "tgi", tgi_binds()):
        pytest.fail("it must not start")
    assert failed.value.exit_code_of_server == 2
    assert "invalid value 'int3'" in (failed.value.reason or "")
    assert containers() == []


def test_what_is_run_is_what_is_rendered(spec_file: SpecMaker, tgi_image: str, tmp_path: Path) -> None:
    spec = spec_file("tgi", tgi_image, ROOT / "examples" / "tiny-llama")
    loaded = servespec.load(spec)
    assert loaded.spec is not None
    deployment = servespec.resolve(loaded.spec, "tgi", loaded.directory)
    (rendered,) = render(deployment, "compose")
    place = Compose(deployment, find_program("podman"))
    written = place.write(get_engine("tgi").lower(deployment), tmp_path)
    assert written.read_text() == rendered.text
