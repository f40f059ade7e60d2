"""What the mappings of manifests say of where a server runs: variables, GPUs and how many of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from servespec.spec.secrets import is_secret

_GPU_RESOURCES = ("nvidia.com/gpu", "amd.com/gpu", "google.com/tpu", "habana.ai/gaudi", "gpu.intel.com/i915")
_GPU_KEYS = ("accelerators", "resourceProfile", "gpu", "accelerator_type", "accelerator", "gpu_type")
_COUNT_KEYS = (*_GPU_RESOURCES, "requestGPU", "gpus_per_node", "gpus")
_INTERPOLATED = re.compile(r"\$\{(\w+):?-([^{}]*)\}")


def environment_of(node: Mapping[Any, Any]) -> dict[str, str]:
    """The variables of a container, a service or a task; a secret is the reference to a variable of its name.

    A value that compose takes from elsewhere has its default (``${TP:-1}``), as it has when nothing else is set.
    """
    found: dict[str, str] = {}
    for key in ("env", "environment", "envs"):
        section = node.get(key)
        if isinstance(section, Mapping):
            found |= {
                str(name): f"${{{name}}}"
                if value is None or isinstance(value, Mapping | list)
                else text_of(value)
                for name, value in section.items()
            }
        for item in section if isinstance(section, list) else ():
            if isinstance(item, Mapping) and "name" in item:
                name = str(item["name"])
                found[name] = text_of(item["value"]) if "value" in item else f"${{{name}}}"
            elif isinstance(item, str):
                name, separator, value = item.partition("=")
                found[name] = value if separator else f"${{{name}}}"
    return {
        name: value
        if is_secret(name, value)
        else _INTERPOLATED.sub(lambda match: match[2] or match[0], value)
        for name, value in found.items()
    }


def other_variables(node: Mapping[Any, Any]) -> list[str]:
    """Where a container has variables from that the source does not show: files, config maps and secrets."""
    files = node.get("env_file")
    found = [
        f"the file {item.get('path') if isinstance(item, Mapping) else item}"
        for item in (files if isinstance(files, list) else [files] if files else [])
    ]
    for row in rows if isinstance(rows := node.get("envFrom"), list) else ():
        for kind, reference in row.items() if isinstance(row, Mapping) else ():
            if isinstance(reference, Mapping) and "name" in reference:
                found.append(f"{str(kind).removesuffix('Ref')} {reference['name']}")
    return found


def interpolated(text: str) -> str:
    """A text of a compose file with the defaults of the variables in it that have one."""
    return _INTERPOLATED.sub(lambda match: match[2] or match[0], text)


def accelerators(node: Mapping[Any, Any]) -> tuple[str | None, int | None]:
    """GPU and number that a mapping asks for, in the words of Kubernetes, compose, Helm values and task runners."""
    resources = node.get("resources")
    sections = [node, resources, *(resources.values() if isinstance(resources, Mapping) else ())]
    number: int | None = None
    for section in sections:
        if isinstance(section, Mapping):
            for key in _COUNT_KEYS:
                number = number or _number(section.get(key))
    for key in _GPU_KEYS:
        for section in sections:
            word = section.get(key) if isinstance(section, Mapping) else None
            if isinstance(word, Mapping) and word:
                name, count = next(iter(word.items()))
                if key == "accelerators":
                    return str(name).partition(":")[0], _number(count) or _number(str(name).partition(":")[2])
                name, number = word.get("name") or word.get("type"), _number(word.get("count")) or number
                word = name
            if isinstance(word, list) and word:
                word = word[0]
            if isinstance(word, str) and word:
                name, _, count = word.partition(":")
                return name, _number(count.rpartition(":")[2]) or number
    selector = node.get("nodeSelector")
    if isinstance(selector, Mapping):
        kinds = [
            str(value)
            for name, value in selector.items()
            if re.search(r"gpu|accelerator|instance", str(name))
        ]
        if kinds:
            return kinds[0], number
    return None, number or _devices(node.get("deploy"))


def _devices(deploy: Any) -> int | None:
    """The number of GPUs that a compose service reserves: ``deploy.resources.reservations.devices``."""
    for key in ("resources", "reservations", "devices"):
        deploy = deploy.get(key) if isinstance(deploy, Mapping) else None
    for device in deploy if isinstance(deploy, list) else ():
        if isinstance(device, Mapping) and (number := _number(device.get("count"))):
            return number
        if isinstance(device, Mapping) and isinstance(device.get("device_ids"), list):
            return len(device["device_ids"])
    return None


def _number(value: Any) -> int | None:
    text = str(value).strip() if value is not None and not isinstance(value, bool) else ""
    return int(text) if text.isdecimal() and 0 < int(text) <= 1024 else None


def text_of(value: Any) -> str:
    """A value as the word that YAML's reader hands on."""
    return str(value).lower() if isinstance(value, bool) else str(value)
