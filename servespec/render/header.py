"""The header of an artefact: where it comes from, and a hash by which a person's change is noticed.

The hash is of the whole text with the hash itself written as zeros, so that it can stand anywhere:
in a comment, or in a field where the format has no comments.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from servespec._version import __version__

MARK = "servespec-hash"
ZEROS = "0" * 64
HASH = re.compile(MARK + r"\W{1,5}sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an artefact says about itself."""

    spec: str
    target: str
    format: str

    def lines(self) -> tuple[str, ...]:
        """The header as lines of plain text, without control characters."""
        return (
            plain(
                f"Rendered by servespec {__version__} from {self.spec} for {self.target}, format {self.format}."
            ),
            plain("Change the spec and render again; servespec keeps a file that was changed by hand."),
            f"{MARK}: sha256:{ZEROS}",
        )

    def comment(self, prefix: str = "# ") -> str:
        """The header as comment lines."""
        return "".join(f"{prefix}{line}\n" for line in self.lines())

    def field(self) -> dict[str, str]:
        """The header as a mapping, for formats without comments."""
        return {
            "servespec": __version__,
            "spec": plain(self.spec),
            "target": plain(self.target),
            "format": self.format,
            MARK: f"sha256:{ZEROS}",
        }


def plain(text: str) -> str:
    """The text with everything that could end a comment line replaced by ``?``."""
    return "".join(character if character.isprintable() else "?" for character in text)


def stamp(text: str) -> str:
    """Put the hash of the text where the header left room for it."""
    found = HASH.search(text)
    if found is None:
        raise ValueError("the text has no header")
    return _with_hash(text, found, _digest(text, found))


def is_untouched(text: str) -> bool:
    """Whether the text is as servespec wrote it: it has a header whose hash still holds."""
    found = HASH.search(text)
    return found is not None and found.group(1) == _digest(text, found)


def _digest(text: str, found: re.Match[str]) -> str:
    return hashlib.sha256(_with_hash(text, found, ZEROS).encode()).hexdigest()


def _with_hash(text: str, found: re.Match[str], digest: str) -> str:
    return text[: found.start(1)] + digest + text[found.end(1) :]
