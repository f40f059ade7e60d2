"""Images in which another program takes the flags, and hands them on to the engine under the engine's own names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from servespec.engines.published import published


def unwrapped(engine: str, image: str, words: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The engine's own flags in the words for a wrapper, and what is to be said of those that are not."""
    wrapper = next((one for one in published()[engine].wrappers if one.image.search(image.lower())), None)
    if wrapper is None:
        return tuple(words), ()
    found: list[str] = []
    notes: list[str] = []
    is_left_out = False
    for word in words:
        head, separator, value = word.partition("=")
        name = re.sub("-", "_", head.lstrip("-"))
        if not head.startswith("--"):
            if is_left_out:
                notes[-1] += f" {word}"
            else:
                found.append(word)
            continue
        is_left_out = name in wrapper.flags and wrapper.flags[name] is None
        if is_left_out:
            notes.append(f"left out, a flag of {wrapper.name}: {word}")
        else:
            own = wrapper.flags.get(name)
            found.append(f"--{own.replace('_', '-')}{separator}{value}" if own is not None else word)
    return tuple(found), tuple(notes)
