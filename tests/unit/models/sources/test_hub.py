"""The Hub, through huggingface_hub against a loopback double."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.hub import HubDouble, serve
from tests.unit.models.sources.test_lookup import CONFIG

pytest.importorskip("huggingface_hub")

ROOT = Path(__file__).parents[4]
OLD, NEW = "a" * 40, "b" * 40
BESIDE = {"quantization": {"quant_algo": "FP8", "exclude_modules": ["lm_head"]}}
PROGRAM = """
import json, sys
from pathlib import Path
from servespec.errors import ServespecError
from servespec.models import find
from servespec.spec.model import Model
spec = json.loads(sys.argv[1])
try:
    facts = find(Model(**spec), Path(), online=True)
except ServespecError as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
else:
    print(json.dumps({
        "hidden_size": facts.hidden_size, "revision": facts.revision, "source": facts.source,
        "quantization": facts.quantization and facts.quantization.method,
    }))
"""


@pytest.fixture
def hub() -> Iterator[HubDouble]:
    double = HubDouble(
        repositories={
            "org/model": {
                OLD: {"config.json": json.dumps(CONFIG).encode()},
                NEW: {
                    "config.json": json.dumps({**CONFIG, "hidden_size": 16}).encode(),
                    "hf_quant_config.json": json.dumps(BESIDE).encode(),
                },
            },
            "org/gated": {NEW: {}},
            "org/empty": {NEW: {}},
        },
        branches={"main": NEW},
        gated=frozenset({"org/gated"}),
    )
    with serve(double) as running:
        yield running


def ask(hub: HubDouble, cache: Path, **spec: str) -> dict[str, str]:
    environment = {
        **{
            key: value
            for key, value in os.environ.items()
            if "PROXY" not in key.upper() and not key.startswith("HF_")
        },
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "127.0.0.1",
    }
    shown = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(spec)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    answer: dict[str, str] = json.loads(shown.stdout.splitlines()[-1])
    return answer


def test_the_newest_revision_is_pinned_to_its_commit_and_read_with_the_file_beside(
    hub: HubDouble, tmp_path: Path
) -> None:
    found = ask(hub, tmp_path, id="org/model")
    assert found["hidden_size"] == 16
    assert found["revision"] == NEW
    assert found["quantization"] == "modelopt"


def test_a_pinned_revision_is_read_and_comes_from_the_cache_the_second_time(
    hub: HubDouble, tmp_path: Path
) -> None:
    first = ask(hub, tmp_path, id="org/model", revision=OLD)
    asked = [path for path in hub.requests if path.endswith("/config.json")]
    second = ask(hub, tmp_path, id="org/model", revision=OLD)
    assert first == second
    assert first["hidden_size"] == 8
    assert [path for path in hub.requests if path.endswith("/config.json")] == asked


@pytest.mark.parametrize(
    ("spec", "error", "said"),
    [
        ({"id": "org/none"}, "UnknownModelError", "the Hub has no model org/none"),
        ({"id": "org/model", "revision": "v9"}, "UnknownModelError", "no revision v9"),
        ({"id": "org/gated"}, "SourceError", "is gated"),
        ({"id": "org/empty"}, "SourceError", "has no config.json"),
        ({"id": "not an id"}, "SourceError", "is no Hub id"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_sentence(
    hub: HubDouble, tmp_path: Path, spec: dict[str, str], error: str, said: str
) -> None:
    found = ask(hub, tmp_path, **spec)
    assert found["error"] == error
    assert said in found["message"]


@pytest.mark.parametrize("spec", [{"id": "org/model"}, {"id": "org/model", "revision": OLD}])
def test_a_hub_that_cannot_be_reached_is_said_to_be(tmp_path: Path, spec: dict[str, str]) -> None:
    gone = HubDouble(repositories={}, url="http://127.0.0.1:9")
    found = ask(gone, tmp_path, **spec)
    assert found["error"] == "SourceError"
    assert "cannot be reached" in found["message"]
