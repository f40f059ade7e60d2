"""The blocks of commands and files in a page: fences of Markdown, code blocks of reStructuredText, cells of a notebook."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from itertools import chain, islice

_FENCE = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_END_OF_LINE_FENCE = re.compile(r"(\s`{3,})[ \t]*$")
_DIRECTIVE = re.compile(r"^([ \t]*)\.\. (?:code-block|code|sourcecode|parsed-literal)::")

MOST_BLOCKS = 2_000
"""Policy: of one page. The longest published one has a twentieth of that."""


def blocks(text: str) -> list[tuple[int, str]]:
    """The blocks of a page, each with the number of lines before it; none where the text has no fence.

    A fence with a name of its language opens a block even where the one before was never closed: a page with a
    slip in it still shows what it means.
    """
    if "```" not in text and "~~~" not in text and ".. " not in text:
        return []
    lines = text.splitlines(keepends=True)
    found = ((start, block) for start, block in chain(_fenced(lines), _directives(lines)) if block.strip())
    return list(islice(found, MOST_BLOCKS))


def _fenced(lines: list[str]) -> Iterator[tuple[int, str]]:
    opened: tuple[int, str] | None = None  # the first line within, and the mark
    for number, line in enumerate(lines):
        fence = _FENCE.match(line.rstrip("\n"))
        if opened is None:
            if fence is not None:
                opened = number + 1, fence[1]
            continue
        start, mark = opened
        if fence is not None and fence[1][0] == mark[0] and (len(fence[1]) >= len(mark) or fence[2]):
            yield start, "".join(lines[start:number])
            opened = (number + 1, fence[1]) if fence[2] else None
        elif (ending := _END_OF_LINE_FENCE.search(line)) is not None and mark.startswith("`"):
            yield start, "".join([*lines[start:number], line[: ending.start()] + "\n"])
            opened = None
    if opened is not None:
        yield opened[0], "".join(lines[opened[0] :])


def _directives(lines: list[str]) -> Iterator[tuple[int, str]]:
    number = 0
    while number < len(lines):
        directive = _DIRECTIVE.match(lines[number])
        number += 1
        if directive is None:
            continue
        start = number
        while number < len(lines) and (
            not lines[number].strip() or _indent(lines[number]) > len(directive[1])
        ):
            number += 1
        block = "".join("\n" if re.match(r"\s+:[\w-]+:", line) else line for line in lines[start:number])
        yield start, textwrap.dedent(block)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def is_notebook(text: str) -> bool:
    """Whether the text is a Jupyter notebook."""
    return text.lstrip().startswith("{") and '"cells"' in text and '"cell_type"' in text


def of_notebook(text: str) -> str:
    """A notebook's cells as one page: text as it is, code between fences without the marks of shell escapes.

    A text that is no notebook after all is given back as it is.
    """
    try:
        cells = json.loads(text)["cells"]
        page = []
        for cell in cells:
            source = cell["source"]
            source = source if isinstance(source, str) else "".join(source)
            if cell["cell_type"] == "code":
                source = re.sub(
                    r"^[ \t]*(?:!|%%?(?:bash|sh|shell|script\s+\w+)\b)", "", source, flags=re.MULTILINE
                )
                source = f"```\n{source}\n```"
            page.append(source)
        return "\n\n".join(page)
    except (ValueError, KeyError, TypeError, RecursionError):
        return text
