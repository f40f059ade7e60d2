"""An argparse parser as plain rows: what each of its flags is called, takes and gives."""

from __future__ import annotations

import argparse
import enum
import inspect
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

Row = dict[str, Any]

# Converters by the name of their function, as the engines define them (vLLM engine/arg_utils.py and
# utils/argparse_utils.py, SGLang srt/server_args.py and arg_groups/arg_utils.py).
KINDS = {
    "str": "str",
    "int": "int",
    "float": "float",
    "bool": "str",  # bool("False") is true: any word is taken
    "loads": "json",
    "json_list_type": "json",
    "parse_dataclass": "json",
    "human_readable_int": "size",
    "human_readable_int_or_auto": "size_or_auto",
    "union_dict_and_str": "json_or_str",
    "nullable_str": "str",
    "nullable_kvs": "kvs",
    "check_port": "port",
}
OPTIONAL = {"nullable_str", "nullable_kvs", "optional_type", "_optional_type"}
_REPLACEMENT = re.compile(r"(?:use|set|to|with|by)\s+[`'\"]*(--[a-z0-9][a-z0-9-]+)", re.IGNORECASE)
_FLAG = re.compile(r"(--[a-z0-9][a-z0-9-]+)")


def kind_of(converter: Callable[[str], Any] | None) -> tuple[str, bool]:
    """The kind of value that a converter takes, and whether `None` or an empty word is allowed.

    A converter that is not in `KINDS` is asked: what it makes of a few words tells its kind.
    """
    if converter is None:
        return "str", False
    name = getattr(converter, "__name__", type(converter).__name__)
    if name in KINDS:
        return KINDS[name], name in OPTIONAL
    closure = inspect.getclosurevars(converter).nonlocals if inspect.isfunction(converter) else {}
    for inner in ("return_type", "val_type", "type_fn", "cls"):
        if inner in closure:
            if inner == "cls":
                return "json", False
            return kind_of(closure[inner])[0], name in OPTIONAL
    if isinstance(converter, type) and issubclass(converter, enum.Enum):
        return "str", False
    return _probe(converter), _outcome(converter, "None") is None


_REFUSED = object()


def _outcome(converter: Callable[[str], Any], word: str) -> Any:
    try:
        return converter(word)
    except (Exception, SystemExit):
        return _REFUSED


def _probe(converter: Callable[[str], Any]) -> str:
    from_json = _outcome(converter, "{}")
    is_json = from_json is not _REFUSED and not isinstance(from_json, str)
    if _outcome(converter, "any words") is not _REFUSED:
        return "json_or_str" if is_json else "str"
    number = _outcome(converter, "7")
    if isinstance(number, int) and not is_json:
        return "int" if _outcome(converter, "1k") is _REFUSED else "size"
    if isinstance(number, float):
        return "float"
    return "json" if is_json else "str"


def plain(value: Any) -> tuple[Any, bool]:
    """A default as JSON, and whether it is a literal; what is no literal is computed by the engine."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value, True
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        parts = [plain(item) for item in items]
        return [part for part, _ in parts], all(literal for _, literal in parts)
    if isinstance(value, dict):
        try:
            return json.loads(json.dumps(value)), True
        except (TypeError, ValueError):
            return None, False
    return None, False


def choices_of(choices: Iterable[Any] | None) -> list[Any] | None:
    if choices is None:
        return None
    found, _ = plain(list(choices) if not isinstance(choices, set | frozenset) else choices)
    return found  # type: ignore[no-any-return]


def action_of(action: argparse.Action) -> str:
    """What an argparse action does, in one word; see `Flag.action` for their meaning."""
    if isinstance(action, argparse.BooleanOptionalAction):
        return "switch"
    names = {cls.__name__ for cls in type(action).__mro__}
    for cls, word in (
        ("_StoreTrueAction", "store_true"),
        ("_StoreFalseAction", "store_false"),
        ("_StoreConstAction", "store_const"),
        ("_AppendAction", "append"),
        ("_HelpAction", "help"),
        ("_VersionAction", "version"),
        ("DeprecatedStoreTrueAction", "store_true"),
        ("StoreBoolean", "boolish"),
    ):
        if cls in names:
            return word
    if "DeprecatedStoreConstAction" in names:
        return "store_const" if action.nargs == 0 else "store"
    if "DeprecatedAction" in names and _refuses(action):
        return "refused"
    if action.nargs == 0:
        return "store_true" if action.const in (True, None) else "store_const"
    return "store"


def _refuses(action: argparse.Action) -> bool:
    """Whether a retired flag stops the launch (SGLang's DeprecatedAction raised in every form until it got
    an `error_message`, since when only those that have one do)."""
    if hasattr(action, "error_message"):
        return action.error_message is not None
    return "raise " in inspect.getsource(type(action).__call__)


def deprecation(action: argparse.Action, known: set[argparse.Action]) -> str | None:
    """None when in good standing, else the flag to use instead, or an empty word when none is named."""
    text = (getattr(action, "help", None) or "").strip()
    named = getattr(action, "new_flag", None)
    is_deprecated = (
        getattr(action, "deprecated", False)
        or action in known
        or type(action).__name__.startswith("Deprecated")
        or re.search(
            r"^\W*(note:.{0,60})?deprecated|\bis deprecated\b|\(deprecated|\[deprecated", text, re.IGNORECASE
        )
    )
    if not is_deprecated:
        return None
    if named and (match := _FLAG.search(named)):
        return _first_of_alternatives(named, match)
    own = set(action.option_strings)
    for pattern in (_REPLACEMENT, _FLAG):
        for match in pattern.finditer(text.replace("_", "-") if "--" in text else ""):
            if match.group(1) not in own:
                return _first_of_alternatives(match.string, match)
    return ""


def _first_of_alternatives(text: str, match: re.Match[str]) -> str:
    """The flag that a match names: of `--backend-{decode,prefill}` the first."""
    rest = re.match(r"\{(\w+)", text[match.end(1) :])
    return match.group(1) + (rest.group(1) if rest else "")


def rows(parser: argparse.ArgumentParser) -> list[Row]:
    """One row a flag, in the parser's order; the positional argument has no spellings."""
    known_deprecated: set[argparse.Action] = getattr(parser, "_deprecated", set())
    accepted: dict[int, list[str]] = {}
    for spelling, action in parser._option_string_actions.items():
        accepted.setdefault(id(action), []).append(spelling)
    found = []
    for action in parser._actions:
        word = action_of(action)
        if word == "help":
            continue
        spellings = accepted.get(id(action), [])
        if action.option_strings and not spellings:
            continue  # another flag took over its only spelling
        visible = [spelling for spelling in spellings if spelling in action.option_strings]
        if word == "switch":
            kind, optional = "bool", False
            own = getattr(action, "negative_option_strings", None)
            negations = [s for s in spellings if (s in own if own is not None else s.startswith("--no-"))]
        else:
            negations = []
            if word in ("store_true", "store_false", "store_const", "refused", "version"):
                kind, optional = "bool", False
            elif word == "boolish":
                kind, optional = "boolish", False
            else:
                kind, optional = kind_of(action.type)  # type: ignore[arg-type]
                if kind == "json" and _outcome(action.type, "image=4,video=1") == {"image": 4, "video": 1}:
                    kind = "json_or_kvs"
                if type(action).__name__ == "LoRAParserAction":
                    kind = "named_path"  # name=path, or JSON
        default, literal = plain(action.default if action.default is not argparse.SUPPRESS else None)
        metavar = action.metavar if isinstance(action.metavar, list | tuple) else None
        const, _ = plain(getattr(action, "const_value", action.const))
        row: Row = {
            "dest": action.dest,
            "spellings": [s for s in spellings if s not in negations],
            "negations": negations,
            "hidden": [s for s in spellings if s not in visible],
            "action": word,
            "kind": kind,
            "optional": optional,
            "choices": choices_of(action.choices),
            "values": choices_of(metavar),
            "nargs": None
            if word in ("switch", "store_true", "store_false", "store_const", "refused")
            else action.nargs,
            "const": const if word in ("store_const", "store") else None,
            "default": default,
            "computed": not literal,
            "required": action.required,
            "deprecated": deprecation(action, known_deprecated),
        }
        found.append(row)
    return found
