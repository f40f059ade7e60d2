"""Servers in YAML: compose files, Kubernetes manifests, Helm values, tasks of cloud runners, recipes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from servespec.engines.flag_catalogue import load, newest
from servespec.engines.published import published, version_of
from servespec.importing.images import engine_of, is_beside
from servespec.importing.servers import Server, engine_of_flags, in_text, mention, of_container
from servespec.importing.shell import words_of

_COMMAND_KEYS = ("argv", "entrypoint", "command", "args")
_EXTRA_KEYS = (
    "extraArgs",
    "extra-args",
    "extra_args",
    "backend_parameters",
    "engine_args",
    "engineArgs",
    "args",
)
_MODEL_KEYS = ("modelURL", "modelUrl", "url", "storageUri", "model_id", "modelId", "model", "modelName")
_GPU_RESOURCES = ("nvidia.com/gpu", "amd.com/gpu", "google.com/tpu", "habana.ai/gaudi", "gpu.intel.com/i915")
_SHORT = {"tp": "tensor_parallel_size", "pp": "pipeline_parallel_size", "dp": "data_parallel_size"}
_SHORT |= {"tensorParallel": "tensor_parallel_size"}
_COUNT_VARIABLES = ("SKYPILOT_NUM_GPUS_PER_NODE", "DSTACK_GPUS_NUM")
"""What runners of tasks set to the number of GPUs that a task asks for."""
_NO_SERVERS = frozenset({"env", "environment", "envs", "initContainer", "initContainers"})
_PARALLELISM = {"tensor": "tp", "pipeline": "pp", "data": "dp", "expert": "enable_expert_parallel"}
_SCHEME = re.compile(r"^(?:hf|huggingface)://")
_VARIABLE = re.compile(r"\$\(([A-Za-z_]\w*)\)")


def in_document(document: Any, engine_hint: str | None = None) -> Iterator[Server]:
    """The servers of one YAML document, in its order."""
    yield from _visit(document, {}, engine_hint, "")


def _visit(node: Any, outer: Mapping[str, str], hint: str | None, key: str) -> Iterator[Server]:
    if isinstance(node, list):
        for item in node:
            yield from _visit(item, outer, hint, key)
    elif isinstance(node, str):
        if mention().search(node):
            yield from in_text(node, outer)
    elif isinstance(node, Mapping):
        gpu, gpus = _accelerators(node)
        counts = {name: str(gpus) for name in _COUNT_VARIABLES} if gpus else {}
        environment = {**outer, **counts, **_environment(node)}
        hint = _hint(node, key) or hint
        servers = list(_container(node, environment, hint))
        if servers:
            yield from servers
            return
        children: list[Server] = []
        for name, child in node.items():
            if name not in _NO_SERVERS and not str(name).startswith(
                "x-"
            ):  # compose: what is merged elsewhere
                children += _visit(child, environment, hint, str(name))
        for server in children:
            image = server.image or _task_image(node)
            version = server.version
            if version is None and image is not None:
                version = version_of(server.engine, image)
            yield replace(
                server,
                argv=(*server.argv, *_parallelism(server, node)),
                gpu=server.gpu or gpu,
                gpus=server.gpus or gpus,
                model=server.model or _model_beside(node),
                version=version,
                image=image,
            )


def _parallelism(server: Server, node: Mapping[Any, Any]) -> list[str]:
    """The flags of a section ``parallelism: {tensor: 2}`` that stands beside the containers (KServe, llm-d)."""
    section = node.get("parallelism")
    if not isinstance(section, Mapping):
        return []
    given = {_PARALLELISM[key]: value for key, value in section.items() if key in _PARALLELISM and value}
    words = _flags_of(server.engine, given, {})
    return words if not any(word in server.argv for word in words if word.startswith("--")) else []


def _model_beside(node: Mapping[Any, Any]) -> str | None:
    """The model of a section that stands beside the containers: ``model: {uri: hf://…}``, ``modelArtifacts``."""
    for key in ("model", "modelArtifacts", "model_loading_config"):
        section = node.get(key)
        if isinstance(section, Mapping):
            for name in ("uri", "storageUri", "model_source", "name"):
                if isinstance(section.get(name), str):
                    return _SCHEME.sub("", section[name])
    return None


def _hint(node: Mapping[Any, Any], key: str) -> str | None:
    """The engine that a mapping speaks of: by a key of its own (``engine: VLLM``) or the key it stands under."""
    for name in ("engine", "framework", "runtime", "backend", "modelFormat"):
        word = node.get(name)
        word = word.get("name") if isinstance(word, Mapping) else word
        if isinstance(word, str) and (found := engine_of(word)):
            return found
    return engine_of(key) if key else None


def _format(node: Mapping[Any, Any]) -> str | None:
    """KServe's name of what serves a model, where no image is named: ``modelFormat: {name: huggingface}``."""
    section = node.get("modelFormat")
    name = section.get("name") if isinstance(section, Mapping) else None
    return name.lower() if isinstance(name, str) and engine_of(name) else None


def _container(node: Mapping[Any, Any], environment: Mapping[str, str], hint: str | None) -> Iterator[Server]:
    """The server of a mapping that describes one: an image with a command, or flags as keys of their own."""
    image = _image(node)
    words = [word for key in _COMMAND_KEYS for word in _words(node.get(key), environment)]
    extra = [word for key in _EXTRA_KEYS if key != "args" for word in _words(node.get(key), environment)]
    # Images that wrap an engine read further flags from a variable.
    additional = [
        word
        for name, value in environment.items()
        if name.upper().endswith("_ARGS") and value.lstrip().startswith("--")
        for word in words_of(value, environment)
    ]
    given = [
        (name, node[key])
        for name, how in published().items()
        for key in how.settings
        if isinstance(node.get(key), Mapping)
    ]
    settings = given[0][1] if given else None
    engine = (engine_of(image) if image else None) or (given[0][0] if given else None) or hint
    has_flags = (
        bool(extra or additional) or settings is not None or any(word.startswith("--") for word in words)
    )
    custom = node.get("customCommand")
    if isinstance(custom, str) and mention().search(custom):
        return
    if not words and any(
        mention().search(text) for key in ("commands", "run", "script") for text in _texts(node.get(key))
    ):
        return  # a task: its image is where the command runs
    is_described = _hint(node, "") is not None and _model(node) is not None
    if not (has_flags or (image and engine) or is_described or mention().search(" ".join(words))):
        return
    if image and is_beside(image) and not mention().search(" ".join(words)):
        return
    engine = engine or engine_of_flags([*words, *extra, *additional])
    if engine is None and not mention().search(" ".join(words)):
        return
    if engine is not None and settings is not None:
        extra += _flags_of(engine, settings, environment)
    if engine is not None and settings is None and (extra or not words):
        extra = [*_flags_of(engine, node, environment), *extra]
    if engine is not None:
        extra += _adapters(engine, node.get("adapters"))
    own = {
        name: value
        for name, value in environment.items()
        if name not in _COUNT_VARIABLES and not (name.upper().endswith("_ARGS") and additional)
    }
    gpu, gpus = _accelerators(node)
    for server in of_container(image or _format(node) or engine or "", [*words, *extra, *additional], own):
        yield replace(
            server,
            image=image,
            model=_model(node),
            name=node["name"] if isinstance(node.get("name"), str) else None,
            gpu=gpu,
            gpus=gpus,
        )


def _adapters(engine: str, section: Any) -> list[str]:
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


def _texts(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _image(node: Mapping[Any, Any]) -> str | None:
    image = node.get("image")
    if isinstance(image, Mapping):
        return (
            f"{image.get('repository', '')}:{image.get('tag', 'latest')}" if image.get("repository") else None
        )
    if isinstance(image, str) and image:
        return f"{image}:{node['tag']}" if isinstance(node.get("tag"), str) and ":" not in image else image
    repository = node.get("repository")
    return f"{repository}:{node.get('tag', 'latest')}" if isinstance(repository, str) else None


def _task_image(node: Mapping[Any, Any]) -> str | None:
    resources = node.get("resources")
    image = resources.get("image_id") if isinstance(resources, Mapping) else None
    if isinstance(node.get("image"), str) and any(key in node for key in ("commands", "run", "script")):
        return str(node["image"])
    return image.removeprefix("docker:") if isinstance(image, str) and image.startswith("docker:") else None


def _words(value: Any, environment: Mapping[str, str]) -> list[str]:
    if isinstance(value, str):
        return words_of(value, environment)
    if isinstance(value, list):
        return [_VARIABLE.sub(lambda match: _known(match, environment), _text(item)) for item in value]
    return []


def _known(match: re.Match[str], environment: Mapping[str, str]) -> str:
    value = environment.get(match[1])
    return value if value is not None else match[0]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flags_of(engine: str, settings: Mapping[Any, Any], environment: Mapping[str, str]) -> list[str]:
    """Flags that a mapping gives by keys of its own: ``maxModelLen: 8192``, ``enable-expert-parallel: true``."""
    catalogue = load(engine, newest(engine))
    values: dict[str, object] = {}
    words: list[str] = []
    for key, value in settings.items():
        name = _SHORT.get(str(key)) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", str(key)).lower().replace(
            "-", "_"
        )
        flag = catalogue.get(name)
        if key in _EXTRA_KEYS:
            words += _words(value, environment)
        elif (
            flag is not None
            and not flag.is_positional
            and name not in ("model", "model_id", "env", "config")
            and catalogue.check(name, value) is None
        ):
            values[name] = value
    return [*catalogue.argv(values), *words]


def _environment(node: Mapping[Any, Any]) -> dict[str, str]:
    """The variables of a container, a service or a task; a secret is the reference to a variable of its name."""
    found: dict[str, str] = {}
    for key in ("env", "environment", "envs"):
        section = node.get(key)
        if isinstance(section, Mapping):
            found |= {
                str(name): f"${{{name}}}"
                if value is None or isinstance(value, Mapping | list)
                else _text(value)
                for name, value in section.items()
            }
        for item in section if isinstance(section, list) else ():
            if isinstance(item, Mapping) and "name" in item:
                name = str(item["name"])
                found[name] = _text(item["value"]) if "value" in item else f"${{{name}}}"
            elif isinstance(item, str):
                name, separator, value = item.partition("=")
                found[name] = value if separator else f"${{{name}}}"
    return found


def _model(node: Mapping[Any, Any]) -> str | None:
    for key in _MODEL_KEYS:
        value = node.get(key)
        if isinstance(value, str) and value:
            return _SCHEME.sub("", value)
    return _model_beside(node)


def _accelerators(node: Mapping[Any, Any]) -> tuple[str | None, int | None]:
    """GPU and number that a mapping asks for, in the words of Kubernetes, compose, Helm values and task runners."""
    resources = node.get("resources")
    sections = [node, resources, *(resources.values() if isinstance(resources, Mapping) else ())]
    number: int | None = None
    for section in sections:
        if isinstance(section, Mapping):
            for key in (*_GPU_RESOURCES, "requestGPU"):
                number = number or _number(section.get(key))
    for key in ("accelerators", "resourceProfile", "gpu", "accelerator_type"):
        for section in sections:
            word = section.get(key) if isinstance(section, Mapping) else None
            if isinstance(word, Mapping) and word:
                name, count = next(iter(word.items()))
                if key == "accelerators":
                    return str(name).partition(":")[0], _number(count) or _number(str(name).partition(":")[2])
                word = word.get("name")
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
