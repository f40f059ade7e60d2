"""Read the flags of TGI's launcher from its source: clap builds the parser from one annotated Rust struct."""

from __future__ import annotations

import re
from typing import Any

Row = dict[str, Any]

_FIELD = re.compile(
    r"#\[clap\((?P<options>[^\]]*)\)\]\s*(?:#\[[^\]]*\]\s*)*(?P<name>\w+):\s*(?P<type>[\w<>:]+),"
)
_ENUM = re.compile(
    r"#\[derive\([^)]*ValueEnum[^)]*\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub )?enum (\w+) \{(.*?)\n\}", re.DOTALL
)
_VARIANT = re.compile(r"(?:#\[clap\(name = \"([^\"]+)\"\)\]\s*)?(?:#\[[^\]]*\]\s*)*\b([A-Z]\w*),")
_LEGACY = re.compile(r"/// Legacy version of \[`Args::(\w+)`\][^\n]*\s*#\[clap[^\]]*\]\s*(\w+):")
_INTEGERS = {"usize", "u16", "u32", "u64", "i32", "i64"}
_INTEGER_LIMITS = {"u16": 2**16 - 1, "u32": 2**32 - 1}


def _kebab(variant: str) -> str:
    """clap's name of an enum variant: `CompressedTensors` is `compressed-tensors`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", variant).lower()


def read(source: str) -> list[Row]:
    """The rows of `launcher/src/main.rs`, in the struct's order, shaped like those of `serialise.rows`."""
    legacy = dict(_LEGACY.findall(source))
    plain = re.sub(r"^\s*//.*$", "", source, flags=re.MULTILINE)
    enums = {
        name: [given or _kebab(variant) for given, variant in _VARIANT.findall(body)]
        for name, body in _ENUM.findall(plain)
    }
    struct = re.search(r"^struct Args \{(.*?)^\}", plain, re.DOTALL | re.MULTILINE)
    if struct is None:
        raise LookupError("no `struct Args` in the launcher's source")
    shorts: set[str] = set()
    fields = _FIELD.finditer(struct.group(1))
    rows = [_row(field["name"], field["options"], field["type"], enums, shorts) for field in fields]
    for row in rows:
        if row["dest"] in legacy.values():
            new = next(new for new, old in legacy.items() if old == row["dest"])
            row["deprecated"] = "--" + new.replace("_", "-")
    return rows


def _row(name: str, options: str, rust_type: str, enums: dict[str, list[str]], shorts: set[str]) -> Row:
    inner = (
        rust_type.removeprefix("Option<").removesuffix(">") if rust_type.startswith("Option<") else rust_type
    )
    is_list = inner.startswith("Vec<")
    inner = inner.removeprefix("Vec<").rstrip(">")
    long = re.search(r"long = \"([^\"]+)\"", options)
    spellings = ["--" + (long.group(1) if long else name.replace("_", "-"))]
    if re.search(r"\bshort\b", options):
        letter = re.search(r"short = '(.)'", options)
        short = "-" + (letter.group(1) if letter else name[0])
        if short not in shorts:  # two fields claim -p: clap takes the first
            shorts.add(short)
            spellings.append(short)
    default = re.search(r"default_value(?:_t)? = \"?([^\",]+)\"?", options)
    kind = (
        "bool" if inner == "bool" else "int" if inner in _INTEGERS else "float" if inner == "f32" else "str"
    )
    row: Row = {
        "dest": name,
        "spellings": spellings,
        "kind": kind,
        "action": "store_true" if rust_type == "bool" else "append" if is_list else "store",
        "choices": enums.get(inner),
        "default": False if rust_type == "bool" else _default(default.group(1) if default else None, kind),
        "env": name.upper() if re.search(r"\benv\b", options) else None,
        "field": f"Args.{name}",
    }
    if rust_type == "Option<bool>":
        row["kind"], row["choices"] = "str", ["true", "false"]
    if "value_delimiter" in options:
        row["delimiter"] = ","
    if kind == "int":
        limit = _INTEGER_LIMITS.get(inner)
        row["range"] = {"ge": 0} | ({"le": limit} if limit else {})
    return row


def _default(text: str | None, kind: str) -> Any:
    if text is None:
        return None
    if kind == "int":
        return int(text)
    return float(text) if kind == "float" else _kebab(text.rpartition("::")[2]) if "::" in text else text
