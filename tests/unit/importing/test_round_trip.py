"""What is rendered can be imported again, and means the same."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lowering_cases import LLAMA, SECTIONS, deploy, lower, parsed

from servespec.engines import engine_names, get_engine
from servespec.engines.flag_catalogue import known_versions, load
from servespec.engines.launch import Launch
from servespec.errors import ServespecError
from servespec.importing import import_source
from servespec.render import available_formats, render
from servespec.spec.loader import load_text

HARDWARE = {"gpu": "H100-80GB", "count": 8}


def again(launch: Launch) -> Launch:
    """Import the launch's command line and lower what came of it."""
    environment = dict(launch.environment)
    line = " ".join([*(f"{n}={shlex.quote(v)}" for n, v in environment.items()), shlex.join(launch.argv)])
    (spec,) = import_source(line, engine_version=launch.version).specs
    data = {**spec.data, "hardware": HARDWARE}
    loaded = load_text(json.dumps(data))
    assert loaded.spec is not None, loaded.diagnostics
    targets = data["targets"]
    sections = {key: value for key, value in data.items() if key not in ("servespec", "name", "targets")}
    return get_engine(launch.engine).lower(deploy(launch.engine, **sections, targets=targets))


@pytest.mark.parametrize("engine", engine_names())
@given(sections=SECTIONS, data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_rendered_command_comes_back_as_the_same_command(
    engine: str, sections: dict[str, Any], data: st.DataObject
) -> None:
    version = data.draw(st.sampled_from(known_versions(engine)))
    try:
        launch = lower(engine, version, **{"hardware": HARDWARE, **sections})
    except ServespecError:
        assume(False)
    once = again(launch)
    assert parsed(once).values == parsed(launch).values
    assert once.environment == launch.environment


SAMPLES = [(engine, known_versions(engine)[at]) for engine in engine_names() for at in (0, 15, 30, 45, -1)]


@pytest.mark.parametrize(("engine", "version"), SAMPLES)
def test_every_flag_of_a_command_survives_import(engine: str, version: str) -> None:
    """Each flag by itself, with one of its choices or a plain value."""
    catalogue = load(engine, version)
    plain = {
        "int": 2,
        "size": 2048,
        "size_or_auto": 2048,
        "float": 0.5,
        "str": "word",
        "json": {},
        "named_path": "a=b",
    }
    launch = lower(engine, version)
    base = parsed(launch).values
    lost = []
    for flag in catalogue.flags.values():
        if (
            flag.is_positional
            or flag.action == "refused"
            or flag.kind not in (*plain, "bool")
            or flag.name in base
        ):
            continue
        value = flag.choices[0] if flag.choices else True if flag.kind == "bool" else plain[flag.kind]
        if flag.nargs is not None or flag.action == "append":
            value = [value] * (flag.nargs if isinstance(flag.nargs, int) else 1)
        words = catalogue.argv({flag.name: value})
        line = shlex.join([*launch.argv, *words])
        (spec,) = import_source(line, engine_version=version).specs
        given = catalogue.parse(words).values[flag.name]
        kept = spec.data["targets"][engine].get("args", {}).get(flag.name)
        if kept != given and not _is_said_by_a_key(spec.data):
            lost.append((flag.name, given, spec.data))
    assert lost == []


def _is_said_by_a_key(data: dict[str, Any]) -> bool:
    """Whether the flag became a key of the spec: then it has more than the bare command's."""
    own = {"servespec", "name", "model", "hardware", "server", "targets"}
    sections = {key for key in data if key not in own}
    return bool(sections) or len(data["model"]) > 1 or len(data["hardware"]) > 2 or len(data["server"]) > 1


FORMATS = ("argv", "compose", "docker", "shell", "systemd", "quadlet", "kubernetes", "kserve", "lws", "llm-d",
           "production-stack", "ray-serve", "config", "offline")  # fmt: skip
ON_NODES: dict[int, dict[str, Any]] = {
    nodes: {
        "limits": {"max_model_len": 4096},
        "parallel": {"tensor": 2, "pipeline": nodes},
        "hardware": {"gpu": "H100-80GB", "count": 2, "nodes": nodes},
        "server": {"port": 8123},
    }
    for nodes in (1, 2)
}


def rendered() -> list[tuple[str, str, int]]:
    """Engine, format and number of nodes of all that can be rendered."""
    found = []
    for engine in engine_names():
        for nodes, sections in ON_NODES.items():
            launch = lower(engine, **sections)
            if nodes == 1 or launch.cluster is not None:
                found += [(engine, name, nodes) for name in available_formats(launch) if name in FORMATS]
    return found


@pytest.mark.parametrize(("engine", "format_name", "nodes"), rendered())
def test_a_rendered_artefact_comes_back_as_the_spec_it_was_made_of(
    engine: str, format_name: str, nodes: int
) -> None:
    deployment = deploy(engine, **ON_NODES[nodes])
    artefacts = render(deployment, format_name)
    (spec, *_) = import_source(artefacts[0].text, str(artefacts[0].path)).specs
    assert spec.engine == engine
    if format_name not in ("config", "offline"):
        assert spec.version == deployment.version
    assert spec.data["model"]["id"] == LLAMA
    assert spec.data["limits"]["max_model_len"] == 4096
    assert spec.data["parallel"]["tensor"] == 2
    assert spec.data["parallel"].get("pipeline", 1) == nodes
    assert spec.data["hardware"]["count"] * spec.data["hardware"].get("nodes", 1) == 2 * nodes
    assert "the engine would refuse" not in " ".join(spec.notes)
