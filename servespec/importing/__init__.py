"""Published launch configurations into specs: `import_source` takes a text of any kind, `to_yaml` writes a spec."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from servespec.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from servespec.importing.assemble import ImportedSpec
    from servespec.importing.servers import Server

MAX_CHARACTERS = 1 << 18
"""Policy: a README with a dozen commands has a tenth of that."""
_MANIFEST = re.compile(r"(?:[ \t]*(?:#[^\n]*|---[ \t]*)?\n)*(?:apiVersion|kind|services):")
"""The first key of a text that is a manifest, whatever its file is called."""
_LIST_ITEM = re.compile(r"""[fr]?(["'])((?:(?!\1).)*)\1|([A-Za-z_][\w.]*)""")
"""A word in quotes, or the name of a variable, in a list of another language."""
_HEREDOC = re.compile(r"<<-?[ \t]*[\"'\\]?(\w+)[\"']?[^\n]*\n")
MOST_SERVERS = 300
"""Policy: the longest published page has a tenth of that."""
MOST_HEREDOCS = 200
"""Policy: files that one script writes."""
_CALL = re.compile(r"\b\w+\(([\w.]+)\)")

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
    servers = _servers(text, path or "")
    if len(servers) > MOST_SERVERS:
        raise SourceError(
            f"{path or 'the text'} has {len(servers):,} servers: no more than {MOST_SERVERS} are read"
        )
    pinned = {engine: pinned_version(engine, text) for engine in {server.engine for server in servers}}
    servers = [replace(server, version=server.version or pinned[server.engine]) for server in servers]
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
    from servespec.importing.pages import is_notebook, of_notebook

    if is_notebook(text):
        return _in_script(of_notebook(text))
    is_script = path.endswith((".sh", ".bash", ".md", ".rst")) or text.startswith("#!")
    is_yaml = path.endswith((".yaml", ".yml")) or (not is_script and _MANIFEST.match(text) is not None)
    found = None if is_script else _in_file(text, is_yaml=(path or "the text") if is_yaml else None)
    is_line = "\n" not in text.strip()  # a command with ``{image: 2}`` in it reads as YAML
    return _in_script(text) if found is None or (not found and is_line) else found


def _in_file(text: str, *, is_yaml: str | None = None) -> list[Server] | None:
    """The servers of a Dockerfile, a unit or YAML; None where the text is none of them.

    ``is_yaml`` names a text that can be nothing else.
    """
    from servespec.importing.files import in_dockerfile, in_unit, is_dockerfile, is_unit

    if is_dockerfile(text):
        return list(in_dockerfile(text))
    if is_unit(text):
        return list(in_unit(text))
    from servespec.importing.terraform import in_terraform, is_terraform

    if is_terraform(text) and (resources := list(in_terraform(text))):
        return resources
    from servespec.importing.documents import documents

    found = documents(text, is_yaml)
    if found is None:
        return None
    from servespec.importing.manifests import in_document
    from servespec.importing.options import in_options

    servers = [server for document in found for server in in_document(document)]
    return servers or [server for document in found for server in in_options(document)]


def _in_script(text: str) -> list[Server]:
    """The servers of a script, of the blocks of a page, or of a program's lists of words."""
    from servespec.importing.pages import blocks
    from servespec.importing.python import in_python, is_python
    from servespec.importing.servers import in_command
    from servespec.importing.shell import Command

    found: list[Server] = []
    for lines_before, block in blocks(text) or [(0, text)]:
        servers = _in_file(block) if block != text else None
        if not servers and is_python(block):
            servers = in_python(block) or servers
        found += _below(lines_before, servers if servers is not None else _in_shell(block))
    if found:
        return sorted(found, key=lambda server: server.line)
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


def to_yaml(spec: ImportedSpec, source: str) -> str:
    """The spec as YAML; comments say what was assumed or could not be carried, and where it comes from."""
    from servespec.importing.write import to_yaml as write

    return write(spec, source)
