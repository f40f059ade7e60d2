"""``servespec lock``: pin what a verdict rests on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from servespec.cli._parameters import SpecFiles

if TYPE_CHECKING:
    from servespec.spec.loader import LoadedSpec


def command(
    files: SpecFiles,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 where a lock does not agree.")
    ] = False,
    online: Annotated[
        bool,
        typer.Option("--online", help="Ask the Hub for configurations and registries for image digests."),
    ] = False,
) -> int:
    """Pin what a verdict rests on in servespec.lock.

    With the lock beside the specs, `servespec check` says the same offline, later, elsewhere. It pins model revisions
    and configurations (kept whole where the catalogue has none), engine versions, images with their digests, by which
    they are rendered from then on, and calibrations. Nothing is looked up on the network without --online.
    """
    from servespec.cli._inputs import load_inputs, unreadable, write_atomically
    from servespec.lock import make, merged, text_of
    from servespec.models.sources.lock import NAME, read_lock

    folders: dict[Path, list[LoadedSpec]] = {}
    for loaded in load_inputs(files):
        if loaded.spec is None:
            raise unreadable(loaded)
        folders.setdefault(loaded.directory, []).append(loaded)
    if check:
        return _check(folders)
    for folder, group in folders.items():
        specs = [loaded.spec for loaded in group if loaded.spec is not None]
        document = merged(read_lock(folder / NAME), make(specs, folder, online=online, tell=_tell))
        write_atomically(str(folder / NAME), text_of(document))
        sys.stdout.write(f"{folder / NAME}: {', '.join(spec.name for spec in specs)}\n")
    return 0


def _tell(what: str) -> None:
    sys.stderr.write(f"servespec: {what}\n")


def _check(folders: dict[Path, list[LoadedSpec]]) -> int:
    from servespec.lock import drift
    from servespec.models.sources.lock import NAME, read_lock

    differences = 0
    for folder, group in folders.items():
        document = read_lock(folder / NAME)
        for loaded in group:
            if loaded.spec is None:
                continue
            if document is None or loaded.spec.name not in document["specs"]:
                found = [f"{loaded.spec.name} is not in {folder / NAME}"]
            else:
                found = [str(one) for one in drift(loaded.spec, folder)]
            differences += len(found)
            sys.stdout.writelines(f"{loaded.path}: {one}\n" for one in found)
    return 1 if differences else 0
