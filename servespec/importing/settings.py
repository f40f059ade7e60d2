"""Flags that stand in a values file or a manifest as keys and lists of its own, beside the command or in its place."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from servespec.engines.flag_catalogue import load, newest
from servespec.importing.resources import text_of
from servespec.importing.servers import Server, without_templates
from servespec.importing.shell import words_of

_EXTRA_KEY = re.compile(
    r"(?:(?:extra|additional|default|backend|engine|serve|server|runtime|cli|cmd|command|vllm|sglang|tgi)[-_]?)+"
    r"(?:args|arguments|flags|parameters)",
    re.IGNORECASE,
)
"""Keys of values files and of task runners under which flags of the server stand, beside ``args`` itself."""
_SHORT = {"tp": "tensor_parallel_size", "pp": "pipeline_parallel_size", "dp": "data_parallel_size"}
_SHORT |= {"tensorParallel": "tensor_parallel_size"}
_PARALLELISM = {"tensor": "tp", "pipeline": "pp", "data": "dp", "expert": "enable_expert_parallel"}
_PARALLELISM |= {name: name for name in ("tp", "pp", "dp")}
_SCHEME = re.compile(r"^(?:hf|huggingface)://")
_VARIABLE = re.compile(r"\$\(([A-Za-z_]\w*)\)")


def extra_keys(node: Mapping[Any, Any]) -> list[Any]:
    """The keys of a mapping under which further flags of the server stand (``extraArgs``, ``engine_args``)."""
    return [key for key in node if isinstance(key, str) and _EXTRA_KEY.fullmatch(key)]


def words_in(value: Any, environment: Mapping[str, str]) -> list[str]:
    """The words of a command that a manifest gives as a text or a list; none of anything else."""
    if isinstance(value, str):
        return words_of(without_templates(_unescaped(value)), environment)
    if isinstance(value, list):
        value = [without_templates(_unescaped(item)) if isinstance(item, str) else item for item in value]
        return [_VARIABLE.sub(lambda match: _known(match, environment), text_of(item)) for item in value]
    return []


def _unescaped(text: str) -> str:
    """A text of a compose file as the container sees it: ``$$`` is one dollar sign, a folded continuation a blank."""
    return re.sub(r"\$\$(?=[\w{])", "$", re.sub(r"\\ +", " ", text) if "\n" not in text else text)


def _known(match: re.Match[str], environment: Mapping[str, str]) -> str:
    value = environment.get(match[1])
    return value if value is not None else match[0]


def flags_of(
    engine: str,
    settings: Mapping[Any, Any],
    environment: Mapping[str, str],
    *,
    has_words: bool = True,
    given: Collection[str] = (),
) -> list[str]:
    """Flags that a mapping gives by keys of its own: ``maxModelLen: 8192``, ``enable-expert-parallel: true``.

    ``has_words`` says whether the lists of words in it are wanted too; the flags that are ``given`` already are not.
    """
    catalogue = load(engine, newest(engine))
    values: dict[str, object] = {}
    words: list[str] = []
    lists = extra_keys(settings) if has_words else []
    for key, value in settings.items():
        name = _name(key)
        flag = catalogue.get(name)
        if (key == "args" and has_words) or key in lists:
            words += words_in(value, environment)
        elif (
            flag is not None
            and not flag.is_positional
            and flag.name not in given
            and name not in ("model", "model_id", "env", "config")
            and catalogue.check(name, value) is None
        ):
            values[name] = value
    return [*catalogue.argv(values), *words]


def unread(engine: str, settings: Mapping[Any, Any]) -> list[str]:
    """What is to be said of a mapping of flags: keys that are none of the engine's newest release, values it refuses."""
    catalogue = load(engine, newest(engine))
    notes = []
    for key, value in settings.items():
        name = _name(key)
        if isinstance(value, Mapping | list) or value in (None, "", False) or key in extra_keys(settings):
            continue
        if catalogue.get(name) is None:
            notes.append(f"left out, no flag of {engine}: {key}: {text_of(value)}")
        elif (problem := catalogue.check(name, value)) is not None:
            notes.append(f"left out, {problem.message}")
    return notes


def _name(key: Any) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(key)).lower().replace("-", "_")
    return _SHORT.get(str(key)) or snake


def flags_beside(server: Server, node: Mapping[Any, Any], environment: Mapping[str, str]) -> list[str]:
    """The flags of sections that stand beside the containers: ``parallelism: {tensor: 2}`` (KServe, llm-d), ``engine_args``."""
    given = load(server.engine, newest(server.engine)).parse(server.argv).values
    words: list[str] = []
    section = node.get("parallelism")
    if isinstance(section, Mapping):
        parallel = {
            _PARALLELISM[key]: value for key, value in section.items() if key in _PARALLELISM and value
        }
        words += flags_of(server.engine, parallel, {}, given=given)
    for key in extra_keys(node):
        value = node[key]
        if isinstance(value, Mapping):
            words += flags_of(server.engine, value, environment, given=given)
        elif not {word.partition("=")[0] for word in server.argv} & {
            *(found := words_in(value, environment))
        }:
            words += found
    return words


def adapters_of(engine: str, section: Any) -> list[str]:
    """The flags of a section ``adapters: [{name: sql, url: hf://…}]`` (KubeAI)."""
    items = [item for item in section if isinstance(item, Mapping)] if isinstance(section, list) else []
    modules = [
        f"{item['name']}={_SCHEME.sub('', str(item['url']))}"
        for item in items
        if {"name", "url"} <= set(item)
    ]
    catalogue = load(engine, newest(engine))
    if not modules or catalogue.get("lora_modules") is None:
        return []
    return list(catalogue.argv({"enable_lora": True, "lora_modules": modules}))


def variables_of_flags(engine: str, node: Mapping[Any, Any]) -> dict[str, str]:
    """Variables that mean a flag and stand among a chart's values under their own names (``MAX_TOTAL_TOKENS: 4096``)."""
    names = {flag.env for flag in load(engine, newest(engine)).flags.values() if flag.env}
    return {
        name: text_of(node[name]) for name in names & {*node} if isinstance(node[name], str | int | float)
    }
