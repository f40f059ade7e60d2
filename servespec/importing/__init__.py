"""Published launch configurations into specs: `import_source` takes a text of any kind, `to_yaml` writes a spec."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from servespec.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servespec.importing.assemble import ImportedSpec
    from servespec.importing.servers import Server

MAX_NODES = 100_000
"""Policy: more than the largest published values file has by two orders of magnitude."""
_LIST_ITEM = re.compile(r"""[fr]?(["'])((?:(?!\1).)*)\1|([A-Za-z_][\w.]*)""")
_CALL = re.compile(r"\b\w+\(([\w.]+)\)")
"""A word in quotes, or the name of a variable, in a list of another language."""

__all__ = ["ImportedSpecs", "import_source", "to_yaml"]


@dataclass(frozen=True, slots=True)
class ImportedSpecs:
    """The specs of all servers in one source, in its order; at least one."""

    specs: tuple[ImportedSpec, ...]


def import_source(text: str, path: str | None = None, engine_version: str | None = None) -> ImportedSpecs:
    """Read commands, scripts, compose files, manifests, Helm values, units, Dockerfiles and engine configurations.

    ``path`` helps to tell the kind; ``engine_version`` is taken where it is given, whatever the source says.
    Raises SourceError when no server of an engine is found.
    """
    from dataclasses import replace

    from servespec.importing.assemble import assemble
    from servespec.importing.images import pinned_version

    servers = [
        replace(server, version=server.version or pinned_version(server.engine, text))
        for server in _servers(text, path or "")
    ]
    if not servers:
        raise SourceError(
            f"no server of a known engine is found in {path or 'the text'}: a command such as `vllm serve MODEL`, "
            "an image of the engine with its arguments, or a file of its flags is expected"
        )
    return ImportedSpecs(tuple(assemble(server, engine_version) for server in servers))


def _servers(text: str, path: str) -> Iterator[Server]:
    from servespec.importing.files import in_dockerfile, in_unit, is_dockerfile, is_unit

    if is_dockerfile(text):
        yield from in_dockerfile(text)
        return
    if is_unit(text):
        yield from in_unit(text)
        return
    documents = None if path.endswith((".sh", ".bash")) or text.startswith("#!") else _documents(text)
    if documents is not None:
        from servespec.importing.manifests import in_document
        from servespec.importing.options import in_options

        found = [server for document in documents for server in in_document(document)]
        yield from found or [server for document in documents for server in in_options(document)]
        if found:
            return
    else:
        yield from _in_script(text)


def _in_script(text: str) -> list[Server]:
    """The servers of a script, of the fenced blocks of a page, or of lists of words in another language."""
    from servespec.importing.servers import in_command, in_text
    from servespec.importing.shell import Command

    fenced = re.findall(r"^[ \t]*```[^\n`]*\n(.*?)^[ \t]*```", text, re.DOTALL | re.MULTILINE)
    found = [server for part in fenced or [text] for server in in_text(part)]
    if found:
        return found
    for match in re.finditer(r"\[([^\[\]]*)\]", text):
        words = [
            quoted or f"${{{name}}}" for _, quoted, name in _LIST_ITEM.findall(_CALL.sub(r"\1", match[1]))
        ]
        found += in_command(Command(tuple(words), {}, text.count("\n", 0, match.start()) + 1))
    return found


def _documents(text: str) -> list[Any] | None:
    """The documents of a YAML text that holds mappings or lists; None where it is no such text.

    What a template puts in (``{{ .Values.model }}``) is a variable that the source does not know.
    """
    found = _yaml_documents(text)
    if found is None and "{{" in text:
        without_lines = re.sub(r"^[ \t]*(?:- )?\{\{-?[^{}]*-?\}\}[ \t]*$", "", text, flags=re.MULTILINE)
        found = _yaml_documents(re.sub(r"\{\{[^{}]*\}\}", "${TEMPLATE}", without_lines))
    return found


def _yaml_documents(text: str) -> list[Any] | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    try:
        documents = [document for document in yaml.load_all(text) if document is not None]
    except (YAMLError, ValueError, RecursionError):
        return None
    if not documents or not all(isinstance(document, dict | list) for document in documents):
        return None
    if _size(documents, {}) > MAX_NODES:
        raise SourceError(
            f"the YAML's aliases expand to more than {MAX_NODES:,} values: no launch configuration does"
        )
    return documents


def _size(node: Any, known: dict[int, float]) -> float:
    """Values that a document has when its aliases are written out; infinite where one stands in itself."""
    if not isinstance(node, dict | list):
        return 1
    if id(node) not in known:
        known[id(node)] = float("inf")
        children = [*node.keys(), *node.values()] if isinstance(node, dict) else node
        known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]


def to_yaml(spec: ImportedSpec, source: str) -> str:
    """The spec as YAML; comments say what was assumed or could not be carried, and where it comes from."""
    from servespec.importing.write import to_yaml as write

    return write(spec, source)
