"""Through every string of a spec: an artefact differs by that string and by nothing else, as its own parser reads it."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzzing import fuzz
from hostile import BAIT
from hypothesis import assume
from hypothesis import strategies as st

from servespec.engines import get_engine
from servespec.errors import ServespecError
from servespec.render import render
from servespec.render.registry import available_formats
from servespec.resolve import find_facts, resolve_target
from servespec.spec import load_text

PLAIN = "zq plain"
"""Stands where the hostile string will: it has to be quoted, as that has."""
CONFIG = Path(__file__).parents[2] / "examples" / "tiny-llama"
ENGINES = (("vllm", "0.25.1"), ("sglang", "0.5.17"), ("tgi", "3.3.7"))
HARMLESS = re.compile(r"[A-Za-z0-9._:/=,-]*")
"""What a name becomes where a format takes but few characters: nothing in it means anything to any parser."""
HOSTILE = st.one_of(
    st.sampled_from(BAIT),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
)


FOLDERS = ("deploy.cache_volume", "lora")


def spec_with(place: str, value: str, engine: str, version: str) -> dict[str, Any]:
    """A spec that renders in every format, with the value in one of its strings."""
    target: dict[str, Any] = {"version": version, "env": {"MOTTO": "m"}, "args": {}}
    spec: dict[str, Any] = {
        "servespec": "v1",
        "name": "n",
        "model": {"id": "Qwen/Qwen3-8B", "revision": "main"},
        "hardware": {"gpu": "H100-80GB"},
        "server": {"served_model_name": "served", "host": "0.0.0.0", "api_key_env": "SERVER_KEY"},
        "deploy": {"namespace": "inference", "cache_volume": "weights"},
        "env": {"A": "a", "HF_TOKEN": "${HF_TOKEN}"},
        "smoke": {"prompts": ["a prompt"]},
        "targets": {engine: target},
    }
    match place:
        case "name":
            spec["name"] = value
        case "env.value":
            spec["env"]["A"] = value
        case "env.reference":
            spec["env"]["A"] = f"${{A}}{value}"
        case "target.env":
            target["env"]["MOTTO"] = value
        case "prompt":
            spec["smoke"]["prompts"] = [value]
        case "argument":
            target["args"] = {_TEXT_FLAG[engine]: value}
        case "lora":
            spec["model"]["adapters"] = {"modules": {"a": value}, "max_rank": 16}
        case "local model":
            spec["model"] = {"id": f"./{value}", "config": str(CONFIG / "config.json")}
        case _:
            section, key = place.split(".")
            spec[section][key] = value
    return spec


_TEXT_FLAG = {"vllm": "chat_template", "sglang": "chat_template", "tgi": "otlp_service_name"}
PLACES = ("name", "server.served_model_name", "server.host", "server.api_key_env", "model.revision", "deploy.namespace", "deploy.cache_volume",
          "env.value", "env.reference", "target.env", "prompt", "argument", "lora", "local model")  # fmt: skip


def artefacts(spec: dict[str, Any], engine: str) -> dict[str, str]:
    """Every artefact of every format that can be written; empty when the spec is refused."""
    text = re.sub(
        "[\x85\u2028\u2029]",
        lambda found: (
            f"\\u{ord(found[0]):04x}"
        ),  # lines end there in YAML, and a break in a string is a space
        json.dumps(spec, ensure_ascii=False),
    )
    loaded = load_text(text, "spec.yaml", CONFIG.parent)
    if loaded.spec is None:
        return {}
    try:
        deployment = resolve_target(
            loaded.spec, engine, find_facts(loaded.spec, CONFIG.parent), CONFIG.parent
        ).deployment
        launch = get_engine(engine).lower(deployment)
        formats = available_formats(launch)
    except ServespecError:
        return {}
    made: dict[str, str] = {}
    for name in formats:
        try:
            made |= {
                f"{name}:{artefact.path}": artefact.text
                for artefact in render(deployment, name, launch=launch)
            }
        except ServespecError:
            continue
    return made


BINARIES = (
    "vllm",
    "docker",
    "podman",
    "python",
    "python3",
    "curl",
    "guidellm",
    "text-generation-launcher",
    "text-generation-benchmark",
    "env",
    "ray",
)
SHOW = '#!/bin/sh\nprintf "%s\\0" "${0##*/}" "$@"\nexec /usr/bin/env -0\n'


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every program that a script may start only tells its words and its environment."""
    folder = tmp_path_factory.mktemp("programs")
    for name in BINARIES:
        (folder / name).write_text(SHOW)
        (folder / name).chmod(0o755)
    return folder


def read(name: str, text: str, shell: Path) -> Any:
    """The artefact as its format's own parser has it."""
    if name.endswith((".yaml", ".yml")):
        return list(yaml.safe_load_all(text))
    if name.endswith(".json"):
        return json.loads(text)
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    if name.endswith(".toml"):
        return tomllib.loads(text)
    if name.endswith(".py"):
        return ast.dump(ast.parse(text))
    if name.endswith(".sh"):
        environment = {
            "PATH": f"{shell}:/usr/bin:/bin",
            "HF_TOKEN": "token",
            "SERVER_KEY": "key",
            "A": "outer",
            "HOME": "/nowhere",
        }
        done = subprocess.run(
            ["/bin/sh", "-c", text],
            capture_output=True,
            cwd=shell / "work",
            env=environment,
            timeout=20,
            check=False,
        )
        assert b"syntax" not in done.stderr.lower(), done.stderr
        told = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        return sorted(part for word in told for part in _parts(word)), done.returncode
    return [line for line in text.split("\n") if not line.startswith("#")]


def _parts(word: str) -> list[str]:
    """What follows `--mount` is a line of CSV: its fields, as they are read."""
    return next(csv.reader([word])) if word.startswith("type=") else [word]


def variants(value: str) -> set[str]:
    """How one string stands where dollars or percent signs are doubled, or the text is one of JSON or of Python."""
    doubled = {
        value,
        value.replace("$", "$$"),
        value.replace("%", "%%"),
        value.replace("%", "%%").replace("$", "$$"),
        f"[{value}]",  # an address with colons, in a URL
    }
    return (
        doubled
        | {json.dumps(one)[1:-1] for one in doubled}
        | {json.dumps(one, ensure_ascii=False)[1:-1] for one in doubled}
    )


def words(line: str, token: str = "", value: str = "") -> list[str] | None:
    """The words of a command line that stands in one string; with one text in them put in place of another."""
    try:
        found = shlex.split(line)
    except ValueError:
        return None
    return [word.replace(token, value) for word in found] if token else found


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {"keys": len(value), "items": [shape(item) for item in value.values()]}
    return [shape(item) for item in value] if isinstance(value, list | tuple) else type(value).__name__


def _kind(place: str, value: str) -> str:
    """What a plain string begins with to be taken as the same kind of thing as the hostile one."""
    if place in FOLDERS:  # a folder is mounted, which takes other words than a name does
        return next((prefix for prefix in ("./", "/", "-") if value.startswith(prefix)), "")
    return "-" if value.startswith("-") else ""  # such a value is joined to its flag by "="


@fuzz(place=st.sampled_from(PLACES), value=HOSTILE, target=st.sampled_from(ENGINES), share=0.15)
def test_a_string_of_the_spec_is_that_string_in_every_artefact(
    shell: Path, place: str, value: str, target: tuple[str, str]
) -> None:
    (shell / "work").mkdir(exist_ok=True)
    assume(not re.fullmatch(r"\$(\{.*\}|\w+)", value))  # a reference, which is kept as one
    if place in ("lora", "local model"):
        value = value.replace("/", "_")  # a folder is mounted under its last name
    if place in FOLDERS and value.startswith((".", "~")):
        value = f"./{value}"
    token = f"{_kind(place, value)}{PLAIN}"
    hostile = artefacts(spec_with(place, value, *target), target[0])
    plain = artefacts(spec_with(place, token, *target), target[0]) if hostile else {}
    value, token = value.removeprefix("./"), token.removeprefix("./")
    for name in hostile.keys() & plain.keys():
        found, usual = read(name, hostile[name], shell), read(name, plain[name], shell)
        if name.endswith((".yaml", ".json")):
            assert shape(found) == shape(usual), name
            for one, other in zip(leaves(found), leaves(usual), strict=True):
                if one != other and not (isinstance(one, str) and HARMLESS.fullmatch(one)):
                    assert isinstance(other, str) and token in other, (name, one, other)
                    same = {other.replace(token, variant) for variant in variants(value)}
                    assert one in same or words(one) == words(other, token, value), (name, one, other)
        elif name.endswith(".sh"):
            assert found[1] == usual[1] and len(found[0]) == len(usual[0]), name
            meant = {word.replace(token, variant) for word in usual[0] for variant in variants(value)}
            extra = {word for word in set(found[0]) - meant if not HARMLESS.fullmatch(word)}
            assert not extra, (name, extra)
        elif not name.endswith(".py"):
            assert len(found) == len(usual), name
    left = {path.name for path in (shell / "work").iterdir()} if (shell / "work").is_dir() else set()
    assert "canary" not in left, "something of the spec was run"


def test_the_plain_spec_renders_in_every_format(shell: Path) -> None:
    (shell / "work").mkdir(exist_ok=True)
    assert os.access(shell / "vllm", os.X_OK)
    for target in ENGINES:
        made = artefacts(spec_with("prompt", PLAIN, *target), target[0])
        assert len(made) > 12
        script = next(text for name, text in made.items() if name.startswith("shell:"))
        words, code = read("x.sh", script, shell)
        assert code == 0 and "Qwen/Qwen3-8B" in words
