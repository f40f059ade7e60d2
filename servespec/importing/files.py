"""Servers in files that are neither YAML nor plain scripts: Dockerfiles, systemd units, quadlets."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from servespec.importing.servers import Server, in_text, of_container
from servespec.importing.shell import words_of

_INSTRUCTION = re.compile(
    r"^\s*(FROM|ENV|ARG|ENTRYPOINT|CMD|RUN|HEALTHCHECK)\s+(.*)$", re.IGNORECASE | re.DOTALL
)
_SECTION = re.compile(r"^\s*\[(\w[\w-]*)\]\s*$")


def is_dockerfile(text: str) -> bool:
    """Whether the first instruction is FROM (after ARG and comments)."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    first = next((line for line in lines if not line.upper().lstrip().startswith("ARG ")), "")
    return re.fullmatch(r"\s*FROM(?:\s+--\S+)*\s+\S+(?:\s+AS\s+\S+)?\s*", first, re.IGNORECASE) is not None


def is_unit(text: str) -> bool:
    """Whether the text begins with a section, comments aside, and has one of a systemd unit, a quadlet or supervisord."""
    if re.match(r"(?:[ \t]*(?:[#;][^\n]*)?\n)*[ \t]*\[", text) is None:
        return False
    return (
        re.search(r"^\s*\[(Unit|Service|Container|Install|program:[\w.-]+)\]\s*$", text, re.MULTILINE)
        is not None
    )


def in_dockerfile(text: str) -> Iterator[Server]:
    """The server that the last ENTRYPOINT and CMD start."""
    image, line = "", 1
    environment: dict[str, str] = {}
    entrypoint: list[str] = []
    command: list[str] = []
    joined = re.sub(r"\\\s*\n(\s*#[^\n]*\n)*", " ", text)
    for number, row in enumerate(joined.splitlines(), 1):
        match = _INSTRUCTION.match(row)
        if match is None:
            continue
        instruction, rest = match[1].upper(), match[2].strip()
        if instruction == "FROM":
            image = next((word for word in rest.split() if not word.startswith("--")), "")
            image = words_of(image, environment)[0] if image else ""
            entrypoint, command = [], []
        elif instruction in ("ENV", "ARG"):
            environment |= _variables(rest)
        elif instruction == "ENTRYPOINT":
            entrypoint, command, line = _exec_form(rest, environment), [], number
        elif instruction == "CMD":
            command, line = _exec_form(rest, environment), number
    if image:
        yield from of_container(image, [*entrypoint, *command], environment, line=line)


def _exec_form(rest: str, environment: dict[str, str]) -> list[str]:
    if rest.startswith("["):
        try:
            return [str(word) for word in json.loads(rest)]
        except ValueError:
            return [word.strip("\"'[], ") for word in rest.split(",")]
    return words_of(rest, environment)


def _variables(rest: str) -> dict[str, str]:
    try:
        words = shlex.split(rest)
    except ValueError:
        words = rest.split()
    if words and "=" not in words[0]:
        return {words[0]: " ".join(words[1:])} if len(words) > 1 else {}
    return dict(word.split("=", 1) for word in words if "=" in word)


def in_unit(text: str) -> Iterator[Server]:
    """The server of a systemd unit (ExecStart) or of a quadlet (Image, Exec)."""
    joined = re.sub(r"\\[ \t]*\n", " ", text)
    environment: dict[str, str] = {}
    image = command = ""
    entrypoint: list[str] = []
    notes: list[str] = []
    place = 1
    for number, row in enumerate(joined.splitlines(), 1):
        key, separator, value = row.strip().partition("=")
        if not separator or row.lstrip().startswith(("#", ";")):
            continue
        key = key.strip()
        if key == "Environment":
            environment |= _variables(value.strip())
        elif key == "EnvironmentFile":
            notes.append(f"left out, the variables of the file {value.strip().removeprefix('-')}")
        elif key == "Secret" and "type=env" in value:
            name = re.search(r"\btarget=(\w+)", value)
            variable = name[1] if name is not None else value.strip().partition(",")[0]
            environment[variable] = f"${{{variable}}}"
        elif key == "Image":
            image = value.strip()
        elif key == "Entrypoint":
            entrypoint = _exec_form(value.strip(), environment)
        elif key in ("ExecStart", "Exec", "command"):
            command, place = f"{command} {value}".strip() if key == "Exec" else value.strip(), number
    if image:
        words = [*entrypoint, *words_of(command, environment)]
        for server in of_container(image, words, environment, line=place):
            yield replace(server, notes=(*server.notes, *notes))
        return
    command = re.sub(r"^[-@:+!|]+", "", command)  # how systemd is to run it
    for server in in_text(command, environment):
        yield replace(
            server,
            line=place,
            environment={**environment, **server.environment},
            notes=(*server.notes, *notes),
        )
