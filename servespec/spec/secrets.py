"""Literal secrets: found by the variable's name or the value's form, and never shown again."""

from __future__ import annotations

import re
from functools import cache

from servespec.diagnostics import Diagnostic, Fix
from servespec.spec.nodes import Node, Scalar, Sequence
from servespec.spec.problems import problem

_BEGINNINGS = (
    *("hf_", "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-"),
    *("AKIA", "ASIA", "xox", "nvapi-", "eyJ", "-----BEGIN", "://"),
)
"""What a text holds that has one of the forms below: looking for these is cheaper than the pattern."""
_NAMES = ("token", "secret", "pass", "credential", "key", "pwd", "pw")


@cache
def _form() -> re.Pattern[str]:
    """Forms of keys and tokens as their issuers publish them, and a password inside of a URL."""
    return re.compile(
        r"\b(?:hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{22,}"
        r"|glpat-[\w-]{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|nvapi-[\w-]{20,}"
        r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+)|-----BEGIN [A-Z ]*PRIVATE KEY-----"
        r"|(?<=://)[^\s/:@]+:[^\s/:@${]+(?=@)"
    )


@cache
def _name() -> re.Pattern[str]:
    """The last words of a name that holds a secret: HF_TOKEN does; MAX_TOKENS and HF_TOKEN_PATH do not."""
    return re.compile(
        r"(?:^|[_-])(?:token|secrets?|password|passwd|passphrase|credentials?"
        r"|(?:api|access|secret|private|auth|account)[_-]?keys?)$"
        r"|[_-](?:pass|pwd|pw)$",
        re.IGNORECASE,
    )


@cache
def _reference() -> re.Pattern[str]:
    return re.compile(
        r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::?(?P<sign>[-?+])\s*(?P<word>[^}]*))?\}|\$[A-Za-z_][A-Za-z0-9_]*"
    )


@cache
def _assignment() -> re.Pattern[str]:
    return re.compile(
        r"(?P<head>[\w-]*(?:token|secret|password|passwd|passphrase|credential|api_?key|access_?key|private_?key"
        r"|(?<=[_-])(?:pass|pwd|pw))s?"
        r"[\"']?\s*[:=]\s*)(?P<value>[^\s,}#][^,}#\n]*)",
        re.IGNORECASE,
    )


def is_secret_name(name: str) -> bool:
    """Whether a variable or flag of that name holds a secret."""
    lowered = name.lower()
    return any(word in lowered for word in _NAMES) and _name().search(name) is not None


def is_reference(text: str) -> bool:
    """Whether the text only refers to a variable: ``${HF_TOKEN}``, ``$HF_TOKEN``, ``${X:?message}``."""
    match = _reference().fullmatch(text) if text.startswith("$") else None
    return match is not None and not (match["sign"] in ("-", "+") and match["word"])


def _has_form(text: str) -> bool:
    return any(beginning in text for beginning in _BEGINNINGS) and _form().search(text) is not None


def is_secret(name: str, text: str) -> bool:
    """Whether a value is a literal secret, by its name or its own form."""
    if not text or is_reference(text):
        return False
    return is_secret_name(name) or _has_form(text)


def redact(text: str) -> str:
    """The same length of text, with everything masked that has the form of a secret or is assigned to the name of one."""
    if _has_form(text):
        text = _form().sub(lambda match: "*" * len(match[0]), text)
    lowered = text.lower()
    if not any(word in lowered for word in _NAMES):
        return text
    return "\n".join(_assignment().sub(_mask_value, line) for line in text.split("\n"))


def _mask_value(match: re.Match[str]) -> str:
    value = match["value"].strip()
    harmless = (
        is_reference(value.strip("\"'")) or value in ("null", "~", "true", "false") or value.isdecimal()
    )
    return match[0] if harmless else match["head"] + "*" * len(match["value"])


def _holds_secret(key: str, name: str, node: Scalar) -> bool:
    if not isinstance(node.value, str):
        return False
    if key.startswith("env.") or ".env." in key or ".args." in key:
        return is_secret(name, node.value)
    return not is_reference(node.value) and _has_form(node.value)


def may_hold_secret(source: str) -> bool:
    """Whether the text of a spec has anything that could be a secret once it is read; a backslash could write one."""
    if "\\" in source or any(beginning in source for beginning in _BEGINNINGS):
        return True
    if "env" not in source and "args" not in source:
        return False
    lowered = source.lower()
    return any(word in lowered for word in _NAMES)


def find_secrets(root: Node) -> tuple[Node, list[Diagnostic]]:
    """Replace every literal secret by a reference to its variable, and report each (SV501).

    What comes after this has no secret to show: not the model, not an error message, not an artefact.
    """
    problems: list[Diagnostic] = []

    def clean(node: Node, key: str, name: str) -> Node:
        if isinstance(node, Scalar):
            return reference(name, node, key) if _holds_secret(key, name, node) else node
        if isinstance(node, Sequence):
            return node._replace(items=tuple(clean(item, key, name) for item in node.items))
        entries = {}
        for name, entry in node.entries.items():
            shown = name
            if _has_form(name):
                shown = _form().sub(lambda match: "*" * len(match[0]), name)
                below = f"{key}.{shown}" if key else shown
                message = (
                    f"a name under {key or 'the spec'} holds a literal secret; a spec may only refer to one"
                )
                problems.append(problem("SV501", message, entry.key.file, entry.key.span, key=below))
                entry = entry._replace(key=entry.key._replace(text=shown, value=shown))
            entries[shown] = entry._replace(
                value=clean(entry.value, f"{key}.{shown}" if key else shown, shown)
            )
        return node._replace(entries=entries)

    def reference(name: str, node: Scalar, key: str) -> Scalar:
        variable = re.sub(r"\W", "_", name).upper().lstrip("0123456789") or "SECRET"
        fix = Fix(f"write ${{{variable}}} and set {variable} where the server starts; then revoke the secret")
        message = f"{key} holds a literal secret; a spec may only refer to one"
        problems.append(problem("SV501", message, node.file, node.span, key=key, fix=fix))
        reference = f"${{{variable}}}"
        return node._replace(text=reference, value=reference)

    return clean(root, "", ""), problems
