"""A server of one of the engines, recognised in the words of a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePosixPath

from servespec.engines import engine_names
from servespec.engines.flag_catalogue import load, newest
from servespec.engines.published import published, version_of
from servespec.errors import SourceError
from servespec.importing.documents import TEMPLATE
from servespec.importing.images import engine_of, is_beside
from servespec.importing.pages import blocks
from servespec.importing.shell import Command, commands
from servespec.importing.wrappers import unwrapped

_SPACE = r"[\s\\\"']+"


@lru_cache(maxsize=1)
def mention() -> re.Pattern[str]:
    """What a text has that may start a server."""
    words = [r"(?:docker|podman|nerdctl)[^\n]{0,40}\srun\b"]
    for how in published().values():
        words += [_SPACE.join(map(re.escape, program)) + r"(?![\w-])" for program in how.programs]
        words += [re.escape(name) for name in (*how.modules, *how.scripts)]
    return re.compile("|".join(words))


_RUNNERS = frozenset({"docker", "podman", "nerdctl"})
_BARE_OPTIONS = frozenset(
    {"--detach", "--interactive", "--tty", "--rm", "--init", "--privileged", "--read-only", "--publish-all",
     "--no-healthcheck", "--replace", "--oom-kill-disable", "--sig-proxy", "--tls-verify", "--no-hosts", "--quiet",
     "--env-host"}
)  # fmt: skip
"""Options of ``docker run`` that take no value."""
_UNCLOSED = re.compile(r"```\w*")
"""A fence that YAML has folded into the line."""
_OTHER_WORK = re.compile(
    r"(?:ba|z|da)?sh|\S+\.(?:sh|py)|\S*/s?bin/\S+|python[\d.]*|tail|sleep|cat|echo|ls|env"
    r"|uv|pip|ray|curl|wget|git|hf|huggingface-cli|nvidia-smi|rocm-smi|make|exec|vllm|sglang|text-generation-\w+"
)
"""First words of a container that does something else: none of them is a model."""
_OF_ANY_SERVER = frozenset({"--host", "--port", "--workers", "--api-key", "--config", "--log-level"})
_OF_A_MODEL = frozenset({"--model", "--model-path", "--model-id"})
_ASKS = frozenset({"--help", "-h", "--version", "-V", "--env"})
"""Flags that print and end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server: engine, flags, environment, and what the source says about where it runs.

    ``line`` counts from 1. ``gpus`` is the number of GPUs that its manifest asks for; ``gpu`` a name in the words
    of the source; ``model`` one that is not in the flags. ``notes`` are what a reader should know.
    ``is_fragment`` tells of further flags for a server that stands elsewhere, if it stands in the source at all.
    """

    engine: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    version: str | None = None
    line: int = 1
    name: str | None = None
    model: str | None = None
    gpu: str | None = None
    gpus: int | None = None
    notes: tuple[str, ...] = ()
    is_fragment: bool = False


MOST_WORDS = 1_000
"""Policy: of one command; the longest published one has a tenth of that."""


def too_long(server: Server) -> SourceError:
    """The error for a command of more than MOST_WORDS words."""
    return SourceError(
        f"line {server.line}: a command of more than {MOST_WORDS:,} words is no start of a server"
    )


def in_text(text: str, variables: Mapping[str, str] | None = None) -> Iterator[Server]:
    """The servers that a script starts, in order; of a page those of its fenced blocks."""
    for lines_before, block in blocks(text) or [(0, text)]:
        for server in _in_script(block, variables):
            yield replace(server, line=server.line + lines_before)


_TEMPLATE_CONTROL = re.compile(r"\{\{-?\s*(?:if|else|end|with|range|/\*)\b[^{}\n]*\}\}")
_TEMPLATE_VARIABLE = re.compile(r"\$\{\{\s*env\.(\w+)\s*\}\}")  # GitHub's workflows
_TEMPLATE_VALUE = re.compile(r"\$?\{\{-?\s*[.$(A-Za-z][^{}\n]*\}\}")
"""What a template puts in; JSON between doubled braces begins with a quote."""


def without_templates(text: str) -> str:
    """A command with variables in the place of what a template puts in (``{{ .Values.model }}``, ``${{ env.MODEL }}``)."""
    if "{{" not in text:
        return text
    text = _TEMPLATE_CONTROL.sub("", _TEMPLATE_VARIABLE.sub(r"${\1}", text))
    return _TEMPLATE_VALUE.sub(TEMPLATE, text)


def _in_script(text: str, variables: Mapping[str, str] | None) -> Iterator[Server]:
    open_server: Server | None = None
    for command in commands(_UNCLOSED.sub("\n", without_templates(text)), variables):
        if open_server is not None and command.words[0].startswith("--"):
            if len(open_server.argv) > MOST_WORDS:
                raise too_long(open_server)
            note = f"line {command.line} begins with a flag: it is read as part of the command before it"
            open_server = replace(
                open_server, argv=(*open_server.argv, *command.words), notes=(*open_server.notes, note)
            )
            continue
        if open_server is not None:
            yield open_server
        open_server = None
        found = list(in_command(command))
        yield from found[:-1]
        open_server = found[-1] if found else None
    if open_server is not None:
        yield open_server


def in_command(command: Command) -> Iterator[Server]:
    """The servers that one command starts: itself, in a container, or in a shell of its own."""
    notes = [
        f"assumed: {name} is set on a condition in the script, its last value is taken"
        for name in command.conditional
    ]
    for server in _of_words(command):
        yield replace(server, notes=(*server.notes, *notes))


def _of_words(command: Command) -> Iterator[Server]:
    words = command.words
    if words[:1] == ("eval",):
        for server in in_text(" ".join(words[1:]), command.environment):
            yield replace(server, line=command.line)
        return
    if words and PurePosixPath(words[0]).name == "env":
        given = [word.split("=", 1) for word in words[1:] if re.match(r"[A-Za-z_]\w*=", word)]
        command = replace(command, environment={**command.environment, **dict(given)})
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        name = PurePosixPath(word).name
        if name in ("bash", "sh", "zsh") and re.fullmatch(r"-\w*c", following) and at + 2 < len(words):
            script = next((text for text in words[at + 2 :] if text != "--"), "")
            for server in in_text(script, command.environment):
                yield replace(server, line=command.line)
            return
        if name in _RUNNERS and "run" in words[at + 1 : at + 3]:
            yield from _in_container(replace(command, words=words[words.index("run", at) + 1 :]))
            return
        started = _started(words, at)
        if started is not None:
            engine, argv = started
            if not _ASKS.isdisjoint(argv[:1]):
                return
            yield Server(engine=engine, argv=argv, environment=dict(command.environment), line=command.line)
            return
    for word in words if len(words) > 1 else ():
        # A command for another shell, in one word: ssh HOST '…', tmux new-session "…".
        if " " in word and mention().search(word):
            yield from (replace(server, line=command.line) for server in in_text(word, command.environment))


def _started(words: Sequence[str], at: int) -> tuple[str, tuple[str, ...]] | None:
    """Engine and flags where the word at this place starts a server."""
    word = words[at]
    name = PurePosixPath(word).name
    for engine, how in published().items():
        for program in how.programs:
            if (name, *words[at + 1 : at + len(program)]) == program:
                return engine, tuple(words[at + len(program) :])
        if word == "-m" and words[at + 1 : at + 2] and words[at + 1] in how.modules:
            rest = tuple(words[at + 2 :])
            return engine, rest[1:] if rest[:1] == ("serve",) else rest
        if any(word.endswith(script) for script in how.scripts):
            return engine, tuple(words[at + 1 :])
    return None


def _in_container(command: Command) -> Iterator[Server]:
    """``docker run OPTIONS IMAGE ARGUMENTS``: the words behind ``run``."""
    environment: dict[str, str] = {}
    gpus: int | None = None
    entrypoint: tuple[str, ...] = ()
    words = list(command.words)
    while words and (words[0].startswith("-") or re.fullmatch(r"\$[@*]|\$\{\w+\[[@*]\]\}", words[0])):
        option = words.pop(0)
        if option.startswith("$"):
            continue  # options that the script's caller gives
        name, separator, value = option.partition("=")
        if not option.startswith("--"):
            name, value = option[:2], option[2:].removeprefix("=")
            separator = value if name in ("-e", "-v", "-p", "-w", "-u", "-h", "-l", "-m") else ""
            if set(option[1:]) <= set("ditP"):
                continue
        elif option in _BARE_OPTIONS:
            continue
        if not separator:
            value = words.pop(0) if words else ""
        if name in ("-e", "--env"):
            variable, has_value, given = value.partition("=")
            environment[variable] = given if has_value else f"${{{variable}}}"
        elif name == "--gpus" and value.isdigit():
            gpus = int(value)
        elif name == "--gpus" and "device=" in value:
            gpus = value.count(",") + 1
        elif name == "--entrypoint":
            entrypoint = tuple(shlex.split(value))
    if words:
        yield from of_container(
            words[0], (*entrypoint, *words[1:]), environment, line=command.line, gpus=gpus
        )


def of_container(
    image: str,
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    line: int = 1,
    gpus: int | None = None,
) -> Iterator[Server]:
    """The server that a container of an image runs with these words: what they start, else the image's own."""
    engine = engine_of(image)
    inner = [
        replace(server, line=line) for server in in_command(Command(tuple(words), dict(environment), line))
    ]
    is_other = is_beside(image) or (
        bool(words) and (_OTHER_WORK.fullmatch(words[0]) is not None or not _ASKS.isdisjoint(words))
    )
    engine = engine or (None if is_other else engine_of_flags(words))
    if not inner and engine is not None and not is_other:
        argv, notes = tuple(words), tuple[str, ...]()
        if argv[:1] == ("serve",):
            argv = argv[1:]
            notes = ("the image starts the server itself: the word 'serve' before the model is left out",)
        argv, own = unwrapped(engine, image, argv)
        notes += own
        inner = [Server(engine=engine, argv=argv, environment=dict(environment), line=line, notes=notes)]
    for server in inner:
        version = server.version or version_of(server.engine, image)
        merged = {**published()[server.engine].image_environment, **environment, **server.environment}
        yield replace(server, image=image, version=version, environment=merged, gpus=gpus)


def engine_of_flags(words: Sequence[str]) -> str | None:
    """The engine whose newest version knows most of the flags, and at least half; None when none does.

    Of several the one that refuses the fewest of their values, then the last by name.
    """
    flags = {word.partition("=")[0] for word in words if word.startswith("--")} - _OF_ANY_SERVER

    if len(flags) < 2 and not flags & _OF_A_MODEL:
        return None

    def fitness(engine: str) -> tuple[int, int, str]:
        catalogue = load(engine, newest(engine))
        known = sum(catalogue.get(flag) is not None for flag in flags)
        return known, -len(catalogue.parse(words).errors), engine

    known, _, best = max(map(fitness, engine_names()))
    return best if known * 2 >= len(flags) else None
