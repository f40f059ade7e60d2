"""One file becomes a loaded spec: text, nodes with places, the frozen model, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from servespec.diagnostics import Diagnostic, Severity
from servespec.spec.compose import compose
from servespec.spec.extends import with_bases
from servespec.spec.nodes import Mapping, Node, Place, Scalar, locate
from servespec.spec.secrets import find_secrets, may_hold_secret
from servespec.spec.source import Source, decode, read

if TYPE_CHECKING:
    from servespec.spec.model import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSpec:
    """What came of reading one file.

    ``spec`` is None when anything is wrong with the language; ``partial`` is then what can still be
    checked. ``nodes`` are those of the spec with its bases, secrets replaced by references.
    ``sources`` are the file and its bases, for showing lines.
    """

    path: str
    directory: Path
    spec: Spec | None
    partial: Spec | None
    nodes: Node | None
    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[Source, ...] = ()

    @property
    def is_valid(self) -> bool:
        """Whether nothing of severity error was found."""
        return self.spec is not None and all(d.severity is not Severity.error for d in self.diagnostics)

    def place(self, diagnostic: Diagnostic) -> Diagnostic:
        """The diagnostic with file, line and column, found from its key.

        A key that is not written stands for the section around it, or else for the engine's target or, where it is
        about memory, the GPU. Findings of the spec itself (SV0xx) are about the value, all others about the key.
        """
        if diagnostic.span is not None:
            return diagnostic if diagnostic.file else replace(diagnostic, file=self.path)
        place = locate(self.nodes, diagnostic.key)
        if place is not None and place.value is self.nodes:
            place = self._without_section(diagnostic) or place
        if place is None:
            return diagnostic.at(self.path, None)
        if diagnostic.code < "SV1" and place.exact and isinstance(place.value, Scalar):
            return diagnostic.at(place.value.file, place.value.span)
        return diagnostic.at(place.file, place.span)

    def _without_section(self, diagnostic: Diagnostic) -> Place | None:
        """The engine's target for a key whose section is not written; for memory the GPU that has it."""
        keys = ["hardware.gpu"] if diagnostic.code.startswith("SV1") else []
        keys += [f"targets.{diagnostic.engine}"] if diagnostic.engine is not None else []
        places = (locate(self.nodes, key) for key in keys)
        return next((place for place in places if place is not None and place.exact), None)


def load(path: str | Path) -> LoadedSpec:
    """Read and validate the spec in a file. Nothing raises: what is wrong is in ``diagnostics``."""
    source = read(str(path))
    directory = Path(path).parent if isinstance(source, Diagnostic) else source.directory
    return _load(str(path), directory, source)


def load_text(text: str | bytes, path: str = "-", directory: Path | None = None) -> LoadedSpec:
    """The same for text that is no file; relative paths in it start at ``directory``, else here."""
    directory = directory or Path()
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    decoded = decode(data, path)
    return _load(
        path, directory, decoded if isinstance(decoded, Diagnostic) else Source(path, decoded, directory)
    )


def _load(path: str, directory: Path, source: Source | Diagnostic) -> LoadedSpec:
    if isinstance(source, Diagnostic):
        return LoadedSpec(
            path=path, directory=directory, spec=None, partial=None, nodes=None, diagnostics=(source,)
        )
    root, problems = compose(source)
    sources = [source]
    spec = partial = None
    if root is None or (isinstance(root, Scalar) and root.value is None):
        if not problems:
            from servespec.spec.validate import empty_document

            problems.append(empty_document(path))
    else:
        if isinstance(root, Mapping) and "extends" in root.entries:
            root, bases, more = with_bases(root, source)
            sources += bases
            problems += more
        is_readable = not problems
        secrets: list[Diagnostic] = []
        if any(may_hold_secret(one.text) for one in sources):
            root, secrets = find_secrets(root)
        from servespec.spec.validate import validate

        spec, partial, wrong = validate(root)
        spec = spec if is_readable else None
        problems += wrong + secrets
    return LoadedSpec(
        path=path,
        directory=directory,
        spec=spec,
        partial=partial,
        nodes=root,
        diagnostics=tuple(problems),
        sources=tuple(sources),
    )
