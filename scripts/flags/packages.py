"""The engines' published packages: which releases there are, and their Python sources without the rest.

A wheel of vLLM is hundreds of megabytes, its Python sources are ten. The index of a wheel (a zip file) stands
at its end, so the sources alone are fetched by HTTP range requests.
"""

from __future__ import annotations

import io
import json
import os
import re
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servespec.rules.versions import version_key

_BLOCK_BYTES = 4 * 1024 * 1024
_FINAL = re.compile(r"\d+(?:\.\d+)*(?:\.post\d+)?")


@dataclass(frozen=True)
class Release:
    """One published wheel: `version` as the engine prints it, `sha256` as the index states it."""

    version: str
    filename: str
    url: str
    sha256: str
    size_bytes: int
    uploaded: str


def index_url() -> str:
    """The package index that pip asks: the one configured in the environment, else its own default."""
    from pip._internal.models.index import PyPI

    return os.environ.get("PIP_INDEX_URL", PyPI.simple_url).rstrip("/")


def releases(project: str, since: str) -> list[Release]:
    """All final and post releases of `project` from `since` on, ascending, one wheel each.

    Of a release's wheels the x86-64 one for the oldest Python is taken: the Python sources are the same.
    Raises urllib.error.URLError when the index cannot be reached.
    """
    request = urllib.request.Request(
        f"{index_url()}/{project}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        files: list[dict[str, Any]] = json.load(answer)["files"]
    found: dict[str, Release] = {}
    for file in sorted(files, key=lambda f: (not f["filename"].endswith("x86_64.whl"), f["filename"])):
        name = file["filename"]
        if not name.endswith(".whl") or file.get("yanked"):
            continue
        version = name.split("-")[1]
        if not _FINAL.fullmatch(version) or version_key(version) < version_key(since):
            continue
        release = Release(
            version, name, file["url"], file["hashes"]["sha256"], file["size"], file["upload-time"]
        )
        found.setdefault(version, release)
    return sorted(found.values(), key=lambda r: version_key(r.version))


class RangeReader(io.RawIOBase):
    """A seekable file over HTTP range requests, for `zipfile` to read from."""

    def __init__(self, url: str, size_bytes: int) -> None:
        self.url, self.size_bytes, self.position = url, size_bytes, 0
        self.blocks: dict[int, bytes] = {}

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size_bytes}[whence]
        self.position = base + offset
        return self.position

    def read(self, size: int = -1) -> bytes:
        end = self.size_bytes if size < 0 else min(self.size_bytes, self.position + size)
        parts = []
        while self.position < end:
            index, start = divmod(self.position, _BLOCK_BYTES)
            part = self._block(index)[start : start + end - self.position]
            parts.append(part)
            self.position += len(part)
        return b"".join(parts)

    def _block(self, index: int) -> bytes:
        if index not in self.blocks:
            first = index * _BLOCK_BYTES
            last = min(self.size_bytes, first + _BLOCK_BYTES) - 1
            request = urllib.request.Request(self.url, headers={"Range": f"bytes={first}-{last}"})
            with urllib.request.urlopen(request, timeout=120) as answer:
                self.blocks[index] = answer.read()
            for old in [known for known in self.blocks if abs(known - index) > 8]:
                del self.blocks[old]
        return self.blocks[index]


def extract_sources(release: Release, package: str, into: Path) -> None:
    """Write the `.py` files of `package` in the release's wheel below `into`."""
    with zipfile.ZipFile(RangeReader(release.url, release.size_bytes)) as wheel:
        members = [
            entry
            for entry in wheel.infolist()
            if entry.filename.startswith(f"{package}/") and entry.filename.endswith(".py")
        ]
        for entry in sorted(members, key=lambda e: e.header_offset):
            wheel.extract(entry, into)
