"""Words of a command line, some of them known only where the server starts, in the syntax of each format."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from servespec.engines.launch import Launch, Variable

Word = str | Variable


@dataclass(frozen=True, slots=True)
class Program:
    """What a container runs: the entry point, None for the image's own, and its arguments."""

    entrypoint: tuple[Word, ...] | None
    arguments: tuple[Word, ...]


def command_line(launch: Launch, *, container: bool, rank: int = 0) -> tuple[Word, ...]:
    """All flags of the server: plain ones, secret ones, those of a cluster's node.

    ``rank`` 0 is the first node, anything else stands for all the others.
    """
    flags: tuple[Word, ...] = launch.container_flags if container else launch.flags
    flags += tuple(word for flag, name in launch.secret_flags for word in (flag, Variable(name)))
    if launch.cluster is not None:
        flags += launch.cluster.node_flags
        if rank:
            flags += launch.cluster.worker_flags
    return flags


def container_program(launch: Launch, rank: int = 0) -> Program:
    """What runs in the container of the first node (``rank`` 0) or of one of the others.

    Where the engine relies on a cluster manager a shell starts that first; the variables of the node
    are then the container's own.
    """
    flags = command_line(launch, container=True, rank=rank)
    cluster = launch.cluster
    if cluster is not None and rank and cluster.worker_start:
        return Program(cluster.worker_start[:1], cluster.worker_start[1:])
    if cluster is not None and cluster.head_start:
        manager = " ".join(shell_word(word) for word in cluster.head_start)
        server = " ".join(shell_word(word) for word in (*launch.command, *flags))
        return Program(("/bin/sh", "-c"), (f"{manager} && exec {server}",))
    return Program(None if launch.image.entrypoint_is_server else launch.command, flags)


def shell_word(word: Word) -> str:
    """The word in POSIX shell; an unset variable ends the script with its name."""
    if isinstance(word, Variable):
        return f'"${{{word.name}:?}}"' + (shlex.quote(word.suffix) if word.suffix else "")
    return shlex.quote(word)


def compose_word(word: Word) -> str:
    """The word in a compose file, where ``$`` starts an interpolation."""
    if isinstance(word, Variable):
        return f"${{{word.name}:?}}" + word.suffix.replace("$", "$$")
    return word.replace("$", "$$")


def kubernetes_word(word: Word) -> str:
    """The word in a container's args and environment, where ``$(`` starts a reference and ``$$`` is one ``$``."""
    if isinstance(word, Variable):
        return f"$({word.name})" + word.suffix.replace("$", "$$")
    return word.replace("$", "$$")


def json_word(word: Word) -> str:
    """The word as data; a variable is written ``${NAME}``."""
    return f"${{{word.name}}}{word.suffix}" if isinstance(word, Variable) else word


def shell_lines(words: Iterable[Word]) -> Iterator[str]:
    """Words as lines of a shell command, one flag with its values a line."""
    line: list[str] = []
    for word in words:
        if line and isinstance(word, str) and word.startswith("--"):
            yield " ".join(line)
            line = []
        line.append(shell_word(word))
    if line:
        yield " ".join(line)


def dump_json(value: object) -> str:
    """JSON as people read it, with a line's end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
