"""Cards of what the reader finds in a spec's text (SV0xx) and of literal secrets (SV501).

They are no rules: the finding is made where the text is read, before there is a spec to look at.
"""

from __future__ import annotations

from servespec.diagnostics import Severity
from servespec.rules.base import Card

YAML_SYNTAX = Card(
    code="SV001",
    name="yaml-syntax",
    severity=Severity.error,
    summary="The text is not YAML.",
    explanation="The YAML parser stopped here, so nothing after this place was read. A tab in the indentation, a "
    "colon inside unquoted text and a bracket that is never closed are the usual reasons. An alias that names no "
    "anchor, or the mapping that it stands in, is reported here too.",
    fix="Indent with spaces, quote text that holds ': ' or begins with one of @ ` % & * ! |.",
)
UNREADABLE = Card(
    code="SV002",
    name="unreadable-file",
    severity=Severity.error,
    summary="The file is missing, is no regular file, or is not UTF-8 text.",
    explanation="Specs are UTF-8 text in regular files. A named pipe, a socket or a device is not opened, because "
    "reading it may never end; '-' reads from standard input. UTF-16, which some Windows tools write, and binary "
    "files are refused.",
    fix="Check the path and its permissions; save the file as UTF-8.",
)
OVERSIZED = Card(
    code="SV003",
    name="oversized-spec",
    severity=Severity.error,
    summary="The text is larger, deeper or more repetitive than any spec.",
    explanation="A spec is read in bounded time and memory whoever wrote it: at most 1 MiB, 32 levels and 20,000 "
    "values, where every alias counts as what it repeats. An alias bomb ends here.",
    fix="Split the file into one spec for each deployment.",
)
NOT_A_SPEC = Card(
    code="SV004",
    name="not-a-spec",
    severity=Severity.error,
    summary="The document is empty, is no mapping, or is followed by another document.",
    explanation="A file holds one spec: one mapping that begins with 'servespec: v1'.",
    fix="Begin the file with 'servespec: v1'; put a second document into its own file.",
)
DUPLICATE_KEY = Card(
    code="SV005",
    name="duplicate-key",
    severity=Severity.error,
    summary="A key is given twice in one mapping.",
    explanation="YAML forbids it, and parsers disagree about which of the two holds. Neither is taken on trust.",
    fix="Remove one of the two.",
)
UNKNOWN_TAG = Card(
    code="SV006",
    name="unknown-tag",
    severity=Severity.error,
    summary="A YAML tag that has no meaning in a spec.",
    explanation="Tags such as !include or !!python/object ask the reader to do something. servespec executes none; "
    "only YAML's own !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are known, and they have to agree with "
    "the value.",
    fix="Remove the tag; for values shared by several specs use 'extends'.",
)
EXTENDS = Card(
    code="SV007",
    name="extends",
    severity=Severity.error,
    summary="The spec that this one extends cannot be used.",
    explanation="'extends' is the path of one spec, relative to the file that names it. At most eight specs may "
    "extend one another, and none may come back to itself.",
    fix="Correct the path, or break the circle.",
)
UNUSED_IGNORE = Card(
    code="SV008",
    name="unused-ignore",
    severity=Severity.warning,
    summary="A comment ignores something that is not found.",
    explanation="'# servespec: ignore[SV402] reason' holds for the line that it stands on, or, on a line of its own, "
    "for the next one. Once the finding is gone the comment would hide the next one of its kind.",
    fix="Remove the comment.",
)
UNKNOWN_KEY = Card(
    code="SV010",
    name="unknown-key",
    severity=Severity.error,
    summary="The language has no such key at this place.",
    explanation="Unknown keys are refused, because a misspelt limit that is silently ignored is the most expensive "
    "kind of mistake. A flag of one engine belongs under targets.<engine>.args.",
    fix="Take the nearest key that the message names, or move a flag under targets.<engine>.args.",
)
MISSING_KEY = Card(
    code="SV011",
    name="missing-key",
    severity=Severity.error,
    summary="A key that every spec needs is missing.",
    explanation="A spec says at least: servespec, name, model.id and hardware.gpu. A key that is null counts as absent.",
    fix="Add the key.",
)
WRONG_TYPE = Card(
    code="SV012",
    name="wrong-type",
    severity=Severity.error,
    summary="The value is of another type than the key takes.",
    explanation="Values are never converted in silence. YAML 1.2 takes yes, no, on and off as text, and 8_192 too; it "
    "takes an unquoted 0.10 as the number 0.1, so that a version needs quotes.",
    fix="Write the value as the message says.",
)
WRONG_VALUE = Card(
    code="SV013",
    name="wrong-value",
    severity=Severity.error,
    summary="The value is out of range or none of the choices.",
    explanation="Every quantity has bounds, every choice a list; `servespec schema` prints them all.",
    fix="Take a value that the message allows.",
)
UNKNOWN_ENGINE = Card(
    code="SV014",
    name="unknown-engine",
    severity=Severity.error,
    summary="A target names an engine that servespec does not know.",
    explanation="The keys of 'targets' are the engines' names.",
    fix="Take one of the names in the message.",
)
UNKNOWN_GPU = Card(
    code="SV015",
    name="unknown-gpu",
    severity=Severity.error,
    summary="The GPU is not in the catalogue, or the local one cannot be asked.",
    explanation="The budget needs the memory that engines see on this very GPU, which is less than its name says. "
    "`servespec gpus` lists the catalogue; 'local' asks the driver of this machine, and 'cpu' needs none.",
    fix="Take the nearest name, or name any GPU and give hardware.memory_gib.",
)
UNKNOWN_MODEL = Card(
    code="SV016",
    name="unknown-model",
    severity=Severity.error,
    summary="The facts of the model cannot be found.",
    explanation="Facts come from model.config, from a local folder, from the Hub with --online, or from the "
    "catalogue (`servespec models`). Without them nothing can be said about memory.",
    fix="Give model.config: ./config.json, or run with --online.",
)
VERSION_NOT_IN_CATALOGUE = Card(
    code="SV017",
    name="version-not-in-catalogue",
    severity=Severity.warning,
    summary="The engine version is not in the catalogue; the nearest known one is followed.",
    explanation="Flags and allocation policies change from release to release. For a development build or a release "
    "that servespec has not read, the nearest known release is taken, and findings may be wrong where the two differ.",
    fix="Name a version that `servespec flags ENGINE` lists, or update servespec.",
)
NULL_TARGET = Card(
    code="SV018",
    name="null-target",
    severity=Severity.warning,
    summary="A target without a value is the same as none.",
    explanation="null and an absent key mean the same everywhere, so 'vllm:' with nothing after it does not choose "
    "vllm.",
    fix="Write 'vllm: {}'.",
)
LITERAL_SECRET = Card(
    code="SV501",
    name="literal-secret",
    severity=Severity.error,
    summary="A secret is written into the spec.",
    explanation="Specs are committed, and artefacts made from them are copied. A value whose variable is named like "
    "a secret (…_TOKEN, …_API_KEY, …_PASSWORD), or that has the form of a known kind of key, has to be a reference "
    "such as ${HF_TOKEN}. The value is shown nowhere.",
    fix="Write a reference, set the variable where the server starts, and revoke the secret that was committed.",
)
