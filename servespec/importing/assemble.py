"""From a server that was found to a spec: version, lifted flags, and what had to be assumed or left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from servespec.engines import get_engine
from servespec.engines.flag_argv import ParsedArgv
from servespec.engines.flag_catalogue import known_versions, load, newest
from servespec.engines.lifting import UNKNOWN_MODEL, has_reference
from servespec.engines.published import other_program, words_of_image
from servespec.errors import UnknownGPUError
from servespec.importing.documents import TEMPLATE
from servespec.importing.servers import Server

ASSUMED_GPU = "H100-80GB"
GPU_OF_IMAGE = {"rocm": "MI300X-192GB", "cpu": "cpu", "xeon": "cpu"}
"""What is assumed of an image that has the word in its name or tag."""
_ORDER = (
    "model", "hardware", "limits", "parallel", "kv_cache", "speculative", "server", "env", "targets",
)  # fmt: skip
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedSpec:
    """One spec: its data, what is to be said about it as a whole, and about single keys (by dotted path)."""

    data: Mapping[str, Any]
    engine: str
    version: str
    notes: tuple[str, ...] = ()
    comments: Mapping[str, str]
    line: int = 1


def assemble(server: Server, engine_version: str | None) -> ImportedSpec:
    """The spec of one server. ``engine_version`` goes before what the source says."""
    notes = list(server.notes)
    comments: dict[str, str] = {}
    asked = engine_version or server.version
    version = asked or _fitting_version(server)
    if asked is None:
        comments[f"targets.{server.engine}.version"] = "assumed: the newest that takes these flags"
    parsed = load(server.engine, version).parse(server.argv)
    unnamed = [name for name in server.environment if not _VARIABLE.fullmatch(name)]
    notes += [f"left out, the name of a variable that is not in the source: {name}" for name in unnamed]
    environment = {
        name: f"${{{name}}}" if TEMPLATE in value else value
        for name, value in server.environment.items()
        if name not in unnamed
    }
    lifted: dict[str, Any] = dict(get_engine(server.engine).lift(server.argv, environment, version))
    flags = [word.partition("=")[0] for word in server.argv if word.startswith("--")]
    program = other_program(server.engine, server.image, flags)
    notes += _left_out(server, parsed, is_checked=program is None)
    if program is not None:
        notes.append(
            f"{program.sign} starts {program.name}: another program's flags are kept and not checked"
        )
    data: dict[str, Any] = {"servespec": "v1"}
    lifted["model"] = dict(lifted["model"])
    if lifted["model"]["id"] == UNKNOWN_MODEL and server.model:
        lifted["model"]["id"] = server.model
    if lifted["model"]["id"] == UNKNOWN_MODEL:
        comments["model.id"] = "the source does not say which model"
    elif has_reference(lifted["model"]["id"]):
        comments["model.id"] = "set it: only the environment of the source knows the model"
    data["name"] = _name(server, lifted)
    hardware = dict(lifted.get("hardware", {}))
    lifted["hardware"] = _hardware(server, hardware, comments)
    target = dict(lifted["targets"][server.engine])
    if server.image and _IMAGE.fullmatch(server.image) and not has_reference(server.image):
        target = {"version": target["version"], "image": server.image, **target}
    lifted["targets"] = {server.engine: target}
    data |= {key: lifted[key] for key in _ORDER if lifted.get(key)}
    return ImportedSpec(
        data=data,
        engine=server.engine,
        version=version,
        notes=tuple(dict.fromkeys(notes)),
        comments=comments,
        line=server.line,
    )


def _fitting_version(server: Server) -> str:
    """The newest release whose parser takes the flags; where none does, the newest of those with least to refuse."""
    server = replace(server, argv=_known_words(server))
    best, fewest = "", -1
    for version in reversed(known_versions(server.engine)):
        parsed = load(server.engine, version).parse(server.argv)
        errors = sum(not _is_of_reference(server, problem.index) for problem in parsed.errors)
        if errors == 0:
            return version
        if fewest < 0 or errors < fewest:
            best, fewest = version, errors
    return best


def _known_words(server: Server) -> tuple[str, ...]:
    """The words without the flags, and what stands behind them, that no release ever had: they tell none from another."""
    catalogue = load(server.engine, newest(server.engine))
    dropped: set[int] = set()
    for problem in catalogue.parse(server.argv).errors:
        word = server.argv[problem.index].partition("=")[0] if problem.index >= 0 else ""
        if problem.code == "unknown-flag" and " " not in word and not catalogue.history(word):
            dropped |= {problem.index, *_behind(server, problem.index)}
    return tuple(word for place, word in enumerate(server.argv) if place not in dropped)


def _is_of_reference(server: Server, index: int) -> bool:
    """Whether a problem comes of a variable whose value the source does not give."""
    words = server.argv[index : index + 2]
    return index < 0 or any(
        has_reference(word) or re.search(r"[<{][\w -]+[>}]|^\.\.\.$", word) for word in words
    )


def _left_out(server: Server, parsed: ParsedArgv, *, is_checked: bool) -> list[str]:
    """What could not be carried, as its value is known to the source's own environment alone, and what is wrong."""
    notes = []
    for name, value in parsed.values.items():
        if has_reference(value) and name not in ("model", "model_tag", "model_path", "model_id"):
            place = parsed.places[name]
            word = server.argv[place]
            shown = (
                word if "=" in word or place + 1 >= len(server.argv) else f"{word} {server.argv[place + 1]}"
            )
            notes.append(f"left out, its value is not in the source: {shown}")
    kept = _behind_unknown_flags(server, parsed)
    for problem in parsed.errors:
        if not 0 <= problem.index < len(server.argv):
            continue
        word = server.argv[problem.index]
        if problem.code == "extra-argument":
            if problem.index in kept:
                continue
            notes.append(f"left out: {word}" + ("" if has_reference(word) else ", which belongs to no flag"))
        elif is_checked and not _is_of_reference(server, problem.index):
            notes.append(f"the engine would refuse this: {problem.message}")
    return notes


def _behind_unknown_flags(server: Server, parsed: ParsedArgv) -> set[int]:
    """Places of words that stand behind a flag that the version does not have: kept as its value."""
    found = set()
    for problem in parsed.errors:
        if problem.code in ("unknown-flag", "ambiguous-flag") and problem.index >= 0:
            found |= _behind(server, problem.index)
    return found


def _behind(server: Server, index: int) -> set[int]:
    """Places of the words behind a flag, up to the next one."""
    found = set()
    for place in range(index + 1, len(server.argv)):
        if server.argv[place].startswith("-"):
            break
        found.add(place)
    return found


def _name(server: Server, lifted: Mapping[str, Any]) -> str:
    served = lifted.get("server", {}).get("served_model_name")
    for candidate in (served, lifted["model"]["id"], server.name):
        if isinstance(candidate, str) and not has_reference(candidate) and candidate != UNKNOWN_MODEL:
            word = (
                re.sub(r"[^A-Za-z0-9._-]+", "-", candidate.rstrip("/").rpartition("/")[2])
                .strip("-._")
                .lower()
            )
            if word:
                return word[:100]
    return f"{server.engine}-server"


def _hardware(server: Server, hardware: dict[str, Any], comments: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"gpu": _gpu(server)}
    if found["gpu"] is None:
        words = words_of_image(server.image or "")
        found["gpu"] = next((gpu for word, gpu in GPU_OF_IMAGE.items() if word in words), ASSUMED_GPU)
        comments["hardware.gpu"] = "assumed: the source does not say which GPU"
    ranks, nodes = hardware.get("count", 1), hardware.get("nodes", 1)
    is_spread = nodes == 1 and any(word.startswith("--nnodes") for word in server.argv)
    if is_spread and server.gpus and ranks > server.gpus and ranks % server.gpus == 0:
        ranks, nodes = server.gpus, ranks // server.gpus
        comments["hardware.nodes"] = "worked out: the source does not say how many nodes"
    found["count"] = max(ranks, server.gpus or 1)
    if nodes > 1:
        found["nodes"] = nodes
    return found


def _gpu(server: Server) -> str | None:
    """The catalogue's name of the GPU that the source names in its own words (``nvidia-gpu-l4``, ``H200``)."""
    if server.gpu is None:
        return None
    from servespec.hardware import find

    words = re.split(r"[-_/ ]+", server.gpu)
    for start in range(len(words)):
        for end in range(len(words), start, -1):
            try:
                return find("-".join(words[start:end])).name
            except UnknownGPUError:
                continue
    return None
