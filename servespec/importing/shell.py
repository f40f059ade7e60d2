"""Shell text into commands: continuations, quotes, variables, arrays; as much of a shell as launch scripts use.

A variable that the text itself sets is put in; ``${NAME:-default}`` takes its default; every other one stays as it
is written, for the reader of the words to deal with. Nothing is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")
_BRACED = re.compile(r"([A-Za-z_]\w*)(\[[@*]\])?(?:(:?[-=?+])(.*))?", re.DOTALL)
_DECLARING = frozenset({"export", "local", "declare", "readonly", "typeset", "set"})
_LEADING = frozenset({"then", "do", "else", "{", "(", "!", "if", "while", "elif", "$", "%", "#"})
_OPERATORS = (";;", "&&", "||", "|&", ";", "|", "&", "(", ")")
_REDIRECTION = re.compile(r"\d*(?:&?>>?&?|<<?<?-?)")
_PLACEHOLDER = re.compile(r"<[\w./ -]+>")
_ARRAY = re.compile(r"([A-Za-z_]\w*)(\+?)=\(")
_PLAIN = re.compile(r"[^\s'\"\\$`;|&()<>]+")
_PLAIN_IN_QUOTES = re.compile(r'[^"\\$`]+')

MOST_EXPANDED_CHARACTERS = 1 << 20
"""Of all values that are put in for variables: one that grows with every line ends here, and stays as written."""
MOST_NESTED = 16
"""Defaults within defaults: ``${A:-${B:-c}}`` has two."""
MOST_VARIABLES = 1_000
"""Policy: of one script. What is set beyond that stays as written."""


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: its words, the variables set for it alone or exported before, and its first line.

    ``conditional`` are the variables in it that the script sets on a condition; the last value is put in.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str]
    line: int
    conditional: tuple[str, ...] = ()


@dataclass(slots=True)
class _Word:
    """A word while it is read; ``parts`` are what it splits into where a variable in it was not quoted."""

    text: str = ""
    done: list[str] = field(default_factory=list)
    is_quoted: bool = False

    def values(self) -> list[str]:
        return [*self.done, self.text] if self.text or self.is_quoted else self.done


class _Lexer:
    def __init__(self, text: str, variables: Mapping[str, str], depth: int = 0) -> None:
        # A backslash with blanks behind it ends a line of many published commands; a continuation is meant.
        # A caret at a line's end is what cmd.exe continues it by.
        self.text = re.sub(r"\\[ \t]+\n|(?<= )\^\n", "\\\\\n", text.replace("\r\n", "\n"))
        self.variables: dict[str, str | list[str]] = dict(variables)
        self.at = 0
        self.conditional: dict[
            str, frozenset[str]
        ] = {}  # by variable: those that it hangs on, set on a condition
        self.used: set[str] = set()
        self._depth = depth
        self._expanded = 0
        self._counted = (0, 1)

    def line(self) -> int:
        start, line = self._counted
        self._counted = self.at, line + self.text.count("\n", start, self.at)
        return self._counted[1]

    def know(self, assigned: Mapping[str, str]) -> None:
        """Take values of variables for what follows."""
        for name, value in assigned.items():
            if name in self.variables or len(self.variables) < MOST_VARIABLES:
                self.variables[name] = value

    def next(self) -> tuple[str, list[str]] | None:
        """The next token: ('word', its values), ('operator', [it]) or ('array', [name, items…]); None at the end."""
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if text.startswith("\\\n", self.at):
                self.at += 2
            elif char in " \t":
                self.at += 1
            elif char == "#":
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            elif char == "\n":
                self.at += 1
                return "operator", ["\n"]
            elif _REDIRECTION.match(text, self.at) and self._is_redirection():
                self._skip_redirection()
            else:
                for operator in _OPERATORS:
                    if text.startswith(operator, self.at):
                        self.at += len(operator)
                        return "operator", [operator]
                return self._word()
        return None

    def _is_redirection(self) -> bool:
        """``<name>`` is a placeholder that many published commands have, and no redirection."""
        return _PLACEHOLDER.match(self.text, self.at) is None

    def _skip_redirection(self) -> None:
        match = _REDIRECTION.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        if self.at < len(self.text) and self.text[self.at] not in " \t\n;|&":
            self._word()

    def _word(self) -> tuple[str, list[str]]:
        array = _ARRAY.match(self.text, self.at)
        if array is not None:
            self.at = array.end()
            return "array", [array[1], array[2], *self._array()]
        word = _Word()
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if char in " \t\n;|&()" or (
                char in "<>" and self._is_redirection() and not word.text.endswith("<")
            ):
                break
            plain = _PLAIN.match(text, self.at)
            if plain is not None:
                word.text += plain[0]
                self.at = plain.end()
            elif char == "<":
                end = text.find(">", self.at) + 1 or self.at + 1
                word.text += text[self.at : end]
                self.at = end
            elif char in "'\"" and text.find(char, self.at + 1) < 0:
                word.text += char  # a quote that nothing closes is an apostrophe, or a slip
                self.at += 1
            elif char == "'":
                end = text.index("'", self.at + 1)
                word.text += text[self.at + 1 : end]
                word.is_quoted = True
                self.at = end + 1
            elif char == '"':
                self._double_quoted(word)
            elif char == "\\":
                if not text.startswith("\\\n", self.at):
                    word.text += text[self.at + 1 : self.at + 2]
                self.at += 2
            elif char == "$" or char == "`":
                self._expand(word, is_quoted=False)
            else:
                word.text += char
                self.at += 1
        return "word", word.values()

    def _array(self) -> list[str]:
        items: list[str] = []
        while (token := self.next()) is not None and token != ("operator", [")"]):
            if token[0] == "word":
                items += token[1]
        return items

    def _double_quoted(self, word: _Word) -> None:
        word.is_quoted = True
        self.at += 1
        text = self.text
        while self.at < len(text) and text[self.at] != '"':
            char = text[self.at]
            if char == "\\" and text[self.at + 1 : self.at + 2] in ('"', "\\", "$", "`", "\n"):
                word.text += text[self.at + 1].replace("\n", "")
                self.at += 2
            elif char == "$" or char == "`":
                self._expand(word, is_quoted=True)
            else:
                plain = _PLAIN_IN_QUOTES.match(text, self.at)
                word.text += plain[0] if plain else char
                self.at = plain.end() if plain else self.at + 1
        self.at += 1

    def _expand(self, word: _Word, *, is_quoted: bool) -> None:
        start, text = self.at, self.text
        if text.startswith("${", start):
            self.at = _closing(text, start + 1, "{", "}")
            self._put(
                word, _BRACED.fullmatch(text[start + 2 : self.at - 1]), text[start : self.at], is_quoted
            )
        elif text.startswith("$(", start):
            self.at = _closing(text, start + 1, "(", ")")
            inner = text[start + 2 : self.at - 1]
            # Manifests write $(NAME) for a variable of the container.
            known = _NAME.fullmatch(inner) if inner in self.variables else None
            value = self.variables[inner] if known else None
            word.text += value if isinstance(value, str) else text[start : self.at]
        elif text[start] == "`":
            end = text.find("`", start + 1)
            self.at = len(text) if end < 0 else end + 1
            word.text += text[start : self.at]
        else:
            match = _NAME.match(text, start + 1)
            self.at = match.end() if match else start + 1
            self._put(word, _BRACED.fullmatch(match[0]) if match else None, text[start : self.at], is_quoted)

    def _put(self, word: _Word, match: re.Match[str] | None, written: str, is_quoted: bool) -> None:
        value: str | list[str] | None = self.variables.get(match[1]) if match else None
        if match is not None:
            self.used |= self.conditional.get(match[1], frozenset())
        if (
            match is not None
            and not value
            and match[3] in (":-", "-", ":=", "=")
            and self._depth < MOST_NESTED
        ):
            # In double quotes what ``:-`` gives is as it is written, else without the quotes of its own.
            inner = _Lexer(f'"{match[4]}"' if is_quoted else match[4], self._plain(), self._depth + 1)
            inner._expanded = self._expanded
            value = " ".join(inner._words())
            self._expanded = inner._expanded
        if value is not None:
            self._expanded += len(value) if isinstance(value, str) else sum(len(item) + 1 for item in value)
        if value is None or self._expanded > MOST_EXPANDED_CHARACTERS:
            word.text += written
        elif isinstance(value, list):
            if value:
                word.text += value[0]
                for item in value[1:]:
                    word.done.append(word.text)
                    word.text = item
        elif is_quoted or not re.search(r"\s", value) or value.startswith("<"):
            word.text += value
        else:
            first, *rest = value.split() or [""]
            word.text += first
            for item in rest:
                word.done.append(word.text)
                word.text = item

    def _plain(self) -> dict[str, str]:
        return {name: value for name, value in self.variables.items() if isinstance(value, str)}

    def _words(self) -> list[str]:
        """The words of what is left, operators and line ends no more than blanks."""
        found: list[str] = []
        while (token := self.next()) is not None:
            if token[0] == "word":
                found += token[1]
        return found


def _closing(text: str, start: int, opening: str, closing: str) -> int:
    """The place behind the bracket that closes the one at ``start``; the end of the text where none does."""
    depth = 0
    for at in range(start, len(text)):
        depth += (text[at] == opening) - (text[at] == closing)
        if depth == 0:
            return at + 1
    return len(text)


def commands(text: str, variables: Mapping[str, str] | None = None) -> Iterator[Command]:
    """The simple commands of a script in order, with what variables are known put in.

    ``variables`` are those of its environment (``env`` of a manifest, ``envs`` of a task).
    """
    lexer = _Lexer(text, variables or {})
    exported: dict[str, str] = {}
    words: list[str] = []
    assigned: dict[str, str] = {}
    line, conditions = 1, 0

    def hang(name: str) -> None:
        own = {name} if conditions > 0 else set()
        if lexer.used or own or name in lexer.conditional:
            lexer.conditional[name] = frozenset(lexer.used | own)

    while True:
        token = lexer.next()
        if token is not None and token[0] == "array":
            name, more, *items = token[1]
            before = lexer.variables.get(name)
            if more:
                lexer.used |= lexer.conditional.get(name, frozenset())
            hang(name)
            if before is not None or len(lexer.variables) < MOST_VARIABLES:
                lexer.variables[name] = [
                    *(before[:MOST_VARIABLES] if more and isinstance(before, list) else []),
                    *items,
                ]
            continue
        if token is not None and token[0] == "word":
            line = lexer.line() if not words else line
            for value in token[1]:
                match = _ASSIGNMENT.fullmatch(value) if all(w in _DECLARING for w in words) else None
                if match is not None:
                    assigned[match[1]] = match[3]
                elif words or value not in _LEADING:
                    words.append(value)
                else:
                    conditions += value == "if"
            continue
        if not words or words[0] in _DECLARING:
            lexer.know(assigned)
            for name in assigned:
                hang(name)
        if words[:1] == ["export"]:
            exported |= {name: value for name, value in assigned.items() if name in lexer.variables}
        elif words and words[0] not in _DECLARING:
            conditions = max(0, conditions + (words[0] == "case") - (words[0] in ("fi", "esac")))
            yield Command(tuple(words), {**exported, **assigned}, line, tuple(sorted(lexer.used)))
        if words or assigned or token is None:
            lexer.used.clear()
        words, assigned = [], {}
        if token is None:
            return


def words_of(text: str, variables: Mapping[str, str] | None = None) -> list[str]:
    """The words of one line, operators and line ends no more than blanks (a compose ``command:``)."""
    return _Lexer(text, variables or {})._words()
