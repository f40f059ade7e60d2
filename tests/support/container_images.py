"""A real container engine in tests, and images made on the spot: no registry is asked."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [
    "dev",
    "etc",
    "home",
    "opt",
    "proc",
    "root",
    "run",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var/tmp",
    "models",
]
USR_LINKS = ("bin", "lib", "lib64", "sbin")
PASSWD = "root:x:0:0:root:/root:/bin/sh\n"


def container_environment() -> dict[str, str]:
    """The environment of a working podman; skips, with the reason, where there is none."""
    script = ROOT / "scripts" / "engines" / "containers.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """``os.environ`` with those values."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def make_image(name: str, *, files: dict[str, bytes] | None = None, entrypoint: str | None = None) -> str:
    """Import an almost empty root file system as an image; /usr is bound from the host when it runs."""
    blob = io.BytesIO()
    with tarfile.open(fileobj=blob, mode="w") as archive:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        for link in USR_LINKS:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{link}"
            archive.addfile(entry)
        for path, content in {"etc/passwd": PASSWD.encode(), **(files or {})}.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    change = ("--change", f'ENTRYPOINT ["{entrypoint}"]') if entrypoint else ()
    subprocess.run(
        ("podman", "import", *change, "-", name), input=blob.getvalue(), capture_output=True, check=True
    )
    return name


def host_binds(*more: Path) -> list[dict[str, object]]:
    """Read-only binds of the host's /usr and of Python environments, at their own paths."""
    paths = {Path("/usr"), Path(sys.base_prefix).resolve(), *(path.absolute() for path in more)}
    outer = {
        path for path in paths if not any(path != other and path.is_relative_to(other) for other in paths)
    }
    return [
        {"type": "bind", "source": str(path), "target": str(path), "read_only": True}
        for path in sorted(outer)
    ]


def search_path(folders: Iterable[Path]) -> str:
    return os.pathsep.join((*map(str, folders), "/usr/bin", "/bin"))


def has_programs(*names: str) -> bool:
    return all(shutil.which(name) for name in names)
