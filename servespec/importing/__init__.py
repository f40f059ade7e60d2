"""Published launch configurations into specs: `import_source` takes a text of any kind, `to_yaml` writes a spec."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from servespec.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servespec.importing.assemble import ImportedSpec
    from servespec.importing.servers import Server

MAX_NODES = 20_000
"""Policy: more than the largest published values file has by an order of magnitude, as specs have it."""
MAX_DEPTH = 100
MAX_CHARACTERS = 1 << 18
"""Policy: a README with a dozen commands has a tenth of that."""
MAX_PURE_CHARACTERS = 1 << 15
"""What the parser in pure Python reads in less than a second, where libyaml does not say how much there is."""
_LIST_ITEM = re.compile(r"""[fr]?(["'])((?:(?!\1).)*)\1|([A-Za-z_][\w.]*)""")
_HEREDOC = re.compile(r"<<-?[ \t]*[\"'\\]?(\w+)[\"']?[^\n]*\n")
MOST_HEREDOCS = 200
"""Policy: files that one script writes."""
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
    from servespec.importing.servers import MOST_WORDS, too_long

    if len(text) > MAX_CHARACTERS:
        raise SourceError(
            f"{path or 'the text'} has more than {MAX_CHARACTERS:,} characters: no launch configuration has"
        )
    servers = [
        replace(server, version=server.version or pinned_version(server.engine, text))
        for server in _servers(text, path or "")
    ]
    for server in servers:
        if len(server.argv) > MOST_WORDS:
            raise too_long(server)
    if not servers:
        raise SourceError(
            f"no server of a known engine is found in {path or 'the text'}: a command such as `vllm serve MODEL`, "
            "an image of the engine with its arguments, or a file of its flags is expected"
        )
    return ImportedSpecs(tuple(assemble(server, engine_version) for server in servers))


def _servers(text: str, path: str) -> list[Server]:
    is_script = path.endswith((".sh", ".bash")) or text.startswith("#!")
    found = None if is_script else _in_file(text)
    is_line = "\n" not in text.strip()  # a command with ``{image: 2}`` in it reads as YAML
    return _in_script(text) if found is None or (not found and is_line) else found


def _in_file(text: str) -> list[Server] | None:
    """The servers of a Dockerfile, a unit or YAML; None where the text is none of them."""
    from servespec.importing.files import in_dockerfile, in_unit, is_dockerfile, is_unit

    if is_dockerfile(text):
        return list(in_dockerfile(text))
    if is_unit(text):
        return list(in_unit(text))
    documents = _documents(text)
    if documents is None:
        return None
    from servespec.importing.manifests import in_document
    from servespec.importing.options import in_options

    found = [server for document in documents for server in in_document(document)]
    return found or [server for document in documents for server in in_options(document)]


def _in_script(text: str) -> list[Server]:
    """The servers of a script, of the fenced blocks of a page, or of lists of words in another language."""
    from servespec.importing.servers import fenced, in_command
    from servespec.importing.shell import Command

    found: list[Server] = []
    for lines_before, block in fenced(text) or [(0, text)]:
        servers = _in_file(block) if block != text else None
        found += _below(lines_before, servers if servers is not None else _in_shell(block))
    if found:
        return found
    for match in re.finditer(r"\[([^\[\]]*)\]", text):
        words = [
            quoted or f"${{{name}}}" for _, quoted, name in _LIST_ITEM.findall(_CALL.sub(r"\1", match[1]))
        ]
        found += in_command(Command(tuple(words), {}, text.count("\n", 0, match.start()) + 1))
    return found


def _in_shell(text: str) -> list[Server]:
    """The servers that a script starts, and those of the files that it writes by itself (``cat <<EOF``)."""
    from servespec.importing.servers import in_text

    found: list[Server] = []
    rest, end = text, 0
    for opening in islice(_HEREDOC.finditer(text), MOST_HEREDOCS):
        closing = re.compile(rf"^[ \t]*{opening[1]}[ \t]*$", re.MULTILINE).search(text, opening.end())
        if opening.start() < end or closing is None:
            continue
        start, end = opening.end(), closing.start()
        servers = _in_file(text[start:end])
        if servers:
            found += _below(text.count("\n", 0, start), servers)
            rest = rest[:start] + re.sub(r"[^\n]", " ", rest[start:end]) + rest[end:]
    return sorted([*in_text(rest), *found], key=lambda server: server.line)


def _below(lines: int, servers: Iterable[Server]) -> list[Server]:
    """Servers of a part of a source, with their lines in the whole."""
    from dataclasses import replace

    return [replace(server, line=server.line + lines) for server in servers]


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

    if not _is_bounded(text):
        return None
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


def _is_bounded(text: str) -> bool:
    """Whether the text is YAML of a depth and size that can be read; libyaml's events tell soon, and build nothing.

    Raises SourceError for what is YAML, but too much of it.
    """
    from ruamel.yaml.error import YAMLError

    try:
        from ruamel.yaml import cyaml
    except ImportError:
        return len(text) <= MAX_PURE_CHARACTERS
    parser = cyaml.CParser(text)  # type: ignore[attr-defined]
    depth = count = 0
    try:
        while parser.check_event():
            name = type(parser.get_event()).__name__
            depth += name.endswith("StartEvent") - name.endswith("EndEvent")
            count += 1
            if depth > MAX_DEPTH or count > 2 * MAX_NODES:
                break
    except (YAMLError, ValueError):
        return len(text) <= MAX_PURE_CHARACTERS
    if count > 2 * MAX_NODES:
        raise SourceError(f"the YAML has more than {MAX_NODES:,} values: no launch configuration does")
    return depth <= MAX_DEPTH


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
