"""YAML text becomes nodes, by ruamel's C parser; everything a hostile file could do is bounded here.

The events are taken one at a time, so that a file that is too deep or expands too far is left at
that point. No tag is ever executed. What can be read on after is read on after, so that one run
reports all mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from servespec.diagnostics import Diagnostic, Span
from servespec.spec.nodes import Entry, Mapping, Node, Scalar, Sequence
from servespec.spec.problems import MAX_PROBLEMS, problem
from servespec.spec.scalars import ScalarValue, resolve_plain
from servespec.spec.source import Source

MAX_DEPTH = 32
"""Nesting of mappings and lists. A JSON-valued flag under ``args`` is the deepest thing there is."""
MAX_NODES = 20_000
"""Nodes with every alias expanded: an alias bomb ends here."""
MAX_PURE_CHARACTERS = 1 << 15
"""What the parser in pure Python reads in less than a second."""

_CORE = "tag:yaml.org,2002:"
_TAGGED: dict[str, tuple[type, ...]] = {
    f"{_CORE}int": (int,),
    f"{_CORE}float": (int, float),
    f"{_CORE}bool": (bool,),
    f"{_CORE}null": (type(None),),
}
_SURROGATE = re.compile("[\ud800-\udfff]")

_new = tuple.__new__
"""Makes a named tuple of all its fields, without a call in between: a spec has a hundred of them."""


class _Stop(Exception):
    """Nothing after this point can be read."""


def _libyaml(text: str) -> Any:
    try:
        from ruamel.yaml import cyaml

        return cyaml.CParser(text)  # type: ignore[attr-defined]
    except ImportError:
        return _pure(text)


def _pure(text: str) -> Any:
    from servespec.spec.pure import PureParser

    return PureParser(text)


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


class _Composer:
    def __init__(self, source: Source, parser_of: Callable[[str], Any]) -> None:
        self.file = source.path
        self.text = source.text
        self.parser_of = parser_of
        self.get_event: Callable[[], Any]
        self.anchors: dict[str, Node] = {}
        self.open_anchors: set[str] = set()
        self.depth = 0
        self.total = 0
        self.problems: list[Diagnostic] = []

    def report(self, code: str, message: str, span: Span) -> None:
        self.problems.append(problem(code, message, self.file, span))
        if len(self.problems) == MAX_PROBLEMS:
            message = f"more than {MAX_PROBLEMS} mistakes: what follows was not read"
            self.problems.append(problem("SV003", message, self.file, span))
            raise _Stop

    def stop(self, code: str, message: str, span: Span) -> _Stop:
        self.problems.append(problem(code, message, self.file, span))
        return _Stop()

    def next(self) -> Any:
        event = self.get_event()
        if event is None:
            raise _Stop
        return event

    def count(self, size: int, span: Span) -> None:
        self.total += size
        if self.total > MAX_NODES:
            message = f"more than {MAX_NODES:,} values, counting what aliases repeat: no spec is that large"
            raise self.stop("SV003", message, span)

    def document(self) -> Node | None:
        """The only document; further ones are reported. Raises YAMLError."""
        self.get_event = self.parser_of(self.text).get_event
        root: Node | None = None
        seen = 0
        while True:
            event = self.next()
            name = type(event).__name__
            if name == "StreamEndEvent":
                return root
            if name != "DocumentStartEvent":
                continue
            seen += 1
            if seen > 1:
                span = _span(event)
                self.report(
                    "SV004", "a second YAML document begins here; a spec is one document in a file", span
                )
                return root
            root = self.node(self.next())

    def node(self, event: Any) -> Node:
        name = type(event).__name__
        start, end = event.start_mark, event.end_mark
        span = _new(Span, (start.line + 1, start.column + 1, end.line + 1, end.column + 1))
        anchor = event.anchor
        if name == "ScalarEvent" and anchor is None and self.total < MAX_NODES:
            self.total += 1
            text = event.value
            if text and event.tag is None and not event.style:
                return _new(Scalar, (text, resolve_plain(text), True, span, self.file, False, 1))
            return self.scalar(event, span)
        if name == "AliasEvent":
            return self.alias(anchor, span)
        if anchor is not None:
            self.open_anchors.add(anchor)
        self.count(1, span)
        node: Node
        if name == "ScalarEvent":
            node = self.scalar(event, span)
        else:
            if self.depth == MAX_DEPTH:
                raise self.stop("SV003", f"nested deeper than {MAX_DEPTH} levels, which no spec is", span)
            self.depth += 1
            self.check_tag(event.tag, "map" if name == "MappingStartEvent" else "seq", span)
            is_mapping = name == "MappingStartEvent"
            node = self.mapping(event, span) if is_mapping else self.sequence(event, span)
            self.depth -= 1
        if anchor is not None:
            self.open_anchors.discard(anchor)
            self.anchors[anchor] = node
        return node

    def alias(self, anchor: str, span: Span) -> Node:
        target = self.anchors.get(anchor)
        if anchor in self.open_anchors:
            raise self.stop("SV001", f"the alias *{anchor} stands inside of what it names", span)
        if target is None:
            self.report("SV001", f"no anchor &{anchor} comes before the alias *{anchor}", span)
            return Scalar("", None, True, span, self.file, True)
        self.count(target.size, span)
        return target._replace(span=span, is_alias=True)

    def check_tag(self, tag: str | None, expected: str, span: Span) -> None:
        """Report a tag that is not the one that the node has anyway."""
        if tag is not None and tag not in ("!", f"{_CORE}{expected}"):
            shown = tag.replace(_CORE, "!!")
            self.report("SV006", f"the tag {shown} has no meaning in a spec; remove it", span)

    def scalar(self, event: Any, span: Span) -> Scalar:
        text, tag, is_plain = event.value, event.tag, event.style in (None, "")
        if self.parser_of is _pure and _SURROGATE.search(text):  # libyaml refuses the escapes
            text = self.joined(text, span)
        if is_plain and text == "":
            # libyaml places an absent value after the white space that follows the key
            span = Span(span.line, span.column, span.line, span.column)
        value: ScalarValue
        if tag is None:
            value = resolve_plain(text) if is_plain else text
        elif tag in ("!", f"{_CORE}str"):
            value = text
        else:
            value = self.tagged(text, tag, span)
        return Scalar(text, value, is_plain, span, self.file)

    def joined(self, text: str, span: Span) -> str:
        """Text with the pairs that JSON writes for one character joined; a half alone is reported."""
        whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        half = _SURROGATE.search(whole)
        if half is None:
            return whole
        escape = f"\\u{ord(half[0]):04x}"
        self.report(
            "SV013", f"{escape} is one half of a surrogate pair: write both halves, or the character", span
        )
        return _SURROGATE.sub("\ufffd", whole)

    def tagged(self, text: str, tag: str, span: Span) -> ScalarValue:
        """The value under one of YAML's own tags; another tag is reported and left out of account."""
        value = resolve_plain(text)
        types = _TAGGED.get(tag)
        if types is None:
            self.check_tag(tag, "str", span)
        elif not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            self.report("SV006", f"the value does not agree with its tag {tag.replace(_CORE, '!!')}", span)
        return value

    def sequence(self, start: Any, span: Span) -> Sequence:
        items: list[Node] = []
        while True:
            event = self.next()
            if type(event).__name__ == "SequenceEndEvent":
                break
            items.append(self.node(event))
        span = self.whole(start, span, event, items[-1].span if items else None)
        return Sequence(tuple(items), span, self.file, False, 1 + sum(item.size for item in items))

    def mapping(self, start: Any, span: Span) -> Mapping:
        entries: dict[str, Entry] = {}
        merged: list[Mapping] = []
        size, last = 1, None
        following, node = self.next, self.node
        while True:
            event = following()
            if type(event).__name__ == "MappingEndEvent":
                break
            key = node(event)
            value = node(following())
            size += key.size + value.size
            last = value.span
            if not isinstance(key, Scalar):
                self.report("SV012", "a key has to be text, not a mapping or a list", key.span)
            elif key.plain and key.text == "<<":
                merged += self.merge_sources(value)
            elif key.text == "":
                self.report("SV012", "a key is missing before this ':'", key.span)
            elif key.text in entries:
                line = entries[key.text].key.span.line
                self.report(
                    "SV005", f"the key {key.text!r} is given twice; the first is on line {line}", key.span
                )
            else:
                entries[key.text] = _new(Entry, (key, value))
        for mapping in merged:
            for text, entry in mapping.entries.items():
                entries.setdefault(text, entry)
        return Mapping(
            entries, self.whole(start, span, event, last), self.file, bool(start.flow_style), False, size
        )

    def merge_sources(self, value: Node) -> list[Mapping]:
        candidates = value.items if isinstance(value, Sequence) else (value,)
        found = [node for node in candidates if isinstance(node, Mapping)]
        if len(found) != len(candidates):
            self.report("SV012", "'<<' takes a mapping, or a list of mappings, by alias", value.span)
        return found

    def whole(self, start: Any, first: Span, end: Any, last: Span | None) -> Span:
        """A flow collection ends at its bracket, a block one where its last value ends."""
        if start.flow_style or last is None:
            closing = _span(end)
            return Span(first.line, first.column, closing.end_line, closing.end_column)
        return Span(first.line, first.column, last.end_line, last.end_column)


def compose(source: Source) -> tuple[Node | None, list[Diagnostic]]:
    """The root node and all that is wrong with the text; no root when nothing could be read.

    libyaml knows YAML 1.1, where ``{image: name:tag}`` is an error; what it refuses is read again by
    the parser for YAML 1.2, which is slower. Where both refuse, libyaml says why.
    """
    root, problems = _compose(source, _libyaml)
    if len(source.text) <= MAX_PURE_CHARACTERS and any(problem.code == "SV001" for problem in problems):
        again, less = _compose(source, _pure)
        if not any(problem.code == "SV001" for problem in less):
            return again, less
    return root, problems


def _compose(source: Source, parser_of: Callable[[str], Any]) -> tuple[Node | None, list[Diagnostic]]:
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    composer = _Composer(source, parser_of)
    root: Node | None = None
    try:
        root = composer.document()
    except _Stop:
        return None, composer.problems
    except ReaderError as error:
        before = source.text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        span = Span(line, column, line, column + 1)
        number = error.character if isinstance(error.character, int) else ord(error.character)
        composer.report("SV001", f"the character U+{number:04X} is not allowed", span)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        composer.report("SV001", _syntax_message(error), Span(line, column, line, column + 1))
    except YAMLError as error:
        composer.report("SV001", f"no YAML: {error}", Span(1, 1, 1, 1))
    return root, composer.problems


def _syntax_message(error: Any) -> str:
    """The parser's own words, with the way out for the mistakes that people make."""
    words = str(error.problem or "cannot be read")
    if error.context and error.context_mark:
        words += f" ({error.context} that begins on line {error.context_mark.line + 1})"
    if "mapping values are not allowed" in words:
        words += ": indent the line like its neighbours, or put the text after the first ':' in quotes"
    elif "cannot start any token" in words:
        words += ": indent with spaces instead of tabs; text that begins with @, ` or % needs quotes"
    elif "Unicode character escape" in words:
        words += ": write the character itself"
    return f"YAML syntax: {words}"
