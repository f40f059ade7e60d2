"""Containers in Terraform: an image and the lists of words beside it (``args = ["--model", var.model]``)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from servespec.importing.images import engine_of
from servespec.importing.servers import Server, of_container

_BLOCK = re.compile(r"^[ \t]*(?:resource|module|locals|variable|data)\b[^\n{]*\{", re.MULTILINE)
_IMAGE = re.compile(r"\bimage\"?\s*[=:]\s*\"([^\"\n]+)\"")
_LIST = re.compile(r"\b(entrypoint|entryPoint|command|args)\"?\s*[=:]\s*\[([^\]]*)\]")
_WORD = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|([A-Za-z_][\w.]*)")
_ORDER = ("entrypoint", "entryPoint", "command", "args")
FURTHEST = 4_000
"""Policy: characters between an image and the words of its container; a long resource has half of that."""


def is_terraform(text: str) -> bool:
    """Whether the text has a block of Terraform."""
    return _BLOCK.search(text) is not None


def in_terraform(text: str) -> Iterator[Server]:
    """The servers of the containers whose image is an engine's, in their order."""
    images = list(_IMAGE.finditer(text))
    for at, image in enumerate(images):
        if engine_of(image[1]) is None:
            continue
        end = images[at + 1].start() if at + 1 < len(images) else len(text)
        lists = {
            found[1]: [word or f"${{{name}}}" for word, name in _WORD.findall(found[2])]
            for found in _LIST.finditer(text, image.end(), min(end, image.end() + FURTHEST))
        }
        words = [word for key in _ORDER for word in lists.get(key, ())]
        yield from of_container(image[1], words, {}, line=text.count("\n", 0, image.start()) + 1)
