"""Servers in YAML: compose files, Kubernetes manifests, Helm values, tasks of cloud runners, recipes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from servespec.engines.published import published, version_of
from servespec.importing.documents import Lined, LinedList, documents
from servespec.importing.images import engine_of, is_beside
from servespec.importing.resources import accelerators, environment_of, interpolated, other_variables
from servespec.importing.servers import Server, engine_of_flags, in_text, mention, of_container
from servespec.importing.settings import (
    adapters_of,
    extra_keys,
    flags_beside,
    flags_of,
    unread,
    variables_of_flags,
    words_in,
)
from servespec.importing.shell import words_of

_COMMAND_KEYS = ("argv", "entrypoint", "command", "args")
_MODEL_KEYS = ("modelURL", "modelUrl", "url", "storageUri", "model_id", "modelId", "model", "modelName")
_COUNT_VARIABLES = ("SKYPILOT_NUM_GPUS_PER_NODE", "DSTACK_GPUS_NUM")
"""What runners of tasks set to the number of GPUs that a task asks for."""
_ID_KEYS = ("hfModelId", "hf_model_id", "huggingfaceModelId")
"""Keys of charts that name the model of the section that they stand in."""
_NO_SERVERS = frozenset({"env", "environment", "envs", "initContainer"})
_HOLDS_IMAGE = re.compile(r"^[ \t]*(?:- )?(?:image|engine|repository): ", re.MULTILINE)
_SCHEME = re.compile(r"^(?:hf|huggingface)://")


def in_document(document: Any, engine_hint: str | None = None) -> Iterator[Server]:
    """The servers of one YAML document, in its order."""
    found = list(_visit(document, {}, engine_hint, "", 1))
    whole = [server for server in found if not server.is_fragment]
    # An image that a chart names for all its models says nothing of its own.
    told = [server for server in whole if server.argv or server.model or server.environment]
    yield from told or whole or found


def _visit(node: Any, outer: Mapping[str, str], hint: str | None, key: str, line: int) -> Iterator[Server]:
    if isinstance(node, list):
        for at, item in enumerate(node):
            yield from _visit(item, outer, hint, key, node.lines[at] if isinstance(node, LinedList) else line)
    elif isinstance(node, str):
        given = {name: value for name, value in outer.items() if name not in _COUNT_VARIABLES}
        within = _within(node, outer) if _HOLDS_IMAGE.search(node) else []
        if not within and mention().search(node):
            within = [
                replace(server, environment={**given, **server.environment})
                for server in in_text(node, outer)
            ]
        yield from (replace(server, line=line + server.line - 1) for server in within)
    elif isinstance(node, Mapping):
        gpu, gpus = accelerators(node)
        counts = {name: str(gpus) for name in _COUNT_VARIABLES} if gpus else {}
        environment = {**outer, **counts, **environment_of(node)}
        hint = _hint(node, key) or hint
        servers = list(_container(node, environment, hint)) if key != "image" else []
        if servers:
            yield from servers
            return
        children: list[Server] = []
        for name, child in _extended(node, key).items():
            below = _sidecars(child) if name == "initContainers" else child
            if name not in _NO_SERVERS and not str(name).startswith("x-"):  # compose: merged elsewhere
                at = node.lines.get(name, line) if isinstance(node, Lined) else line
                children += _visit(below, environment, hint, str(name), at)
        for server in children:
            image = server.image or _task_image(node)
            version = server.version
            if version is None and image is not None:
                version = version_of(server.engine, image)
            named = next((node[key] for key in _ID_KEYS if isinstance(node.get(key), str)), None)
            yield replace(
                server,
                is_fragment=server.is_fragment and named is None,
                argv=(*server.argv, *flags_beside(server, node, environment)),
                gpu=server.gpu or gpu,
                gpus=server.gpus or gpus,
                model=server.model or named or _model_beside(node),
                version=version,
                image=image,
            )


def _extended(node: Mapping[Any, Any], key: str) -> Mapping[Any, Any]:
    """The services of a compose file, each with what it takes from another one of the file (``extends``)."""
    if key != "services":
        return node
    found: dict[Any, Any] = {}
    for name, service in node.items():
        found[name] = service
        given = service.get("extends") if isinstance(service, Mapping) else None
        wanted = given.get("service") if isinstance(given, Mapping) else given
        base = node.get(wanted) if isinstance(wanted, str) else None
        if isinstance(base, Mapping) and not (isinstance(given, Mapping) and "file" in given):
            merged = Lined({**base, **service})
            merged.line = service.line if isinstance(service, Lined) else 1
            merged.lines = {**getattr(base, "lines", {}), **getattr(service, "lines", {})}
            found[name] = merged
    return found


def _within(text: str, outer: Mapping[str, str]) -> list[Server]:
    """The servers of YAML in a text (a ConfigMap that holds a values file)."""
    found = documents(text) if not text.startswith("#!") else None
    return [server for document in found or () for server in _visit(document, outer, None, "", 1)]


def _sidecars(containers: Any) -> list[Any]:
    """Of init containers those that go on running beside the others."""
    rows = containers if isinstance(containers, list) else []
    return [row for row in rows if isinstance(row, Mapping) and row.get("restartPolicy") == "Always"]


def _model_beside(node: Mapping[Any, Any]) -> str | None:
    """The model of a section that stands beside the containers: ``model: {uri: hf://…}``, ``modelArtifacts``."""
    for key in ("model", "modelArtifacts", "model_loading_config", "model_source"):
        section = node.get(key)
        if isinstance(section, Mapping):
            for name in ("uri", "storageUri", "model_source", "path", "name"):
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
    words = [word for key in _COMMAND_KEYS for word in words_in(node.get(key), environment)]
    extra = [word for key in extra_keys(node) for word in words_in(node[key], environment)]
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
    flags = next((node[key] for key in extra_keys(node) if isinstance(node[key], Mapping)), None)
    settings = given[0][1] if given else flags
    engine = (engine_of(image) if image else None) or (given[0][0] if given else None) or hint
    has_flags = (
        bool(extra or additional) or settings is not None or any(word.startswith("--") for word in words)
    )
    notes: list[str] = []
    custom = node.get("customCommand")
    if isinstance(custom, str) and mention().search(custom):
        return
    if not words and any(_starts_one(child) for name, child in node.items() if name not in _NO_SERVERS):
        return  # a task: its image is where the commands run
    is_described = _hint(node, "") is not None and _model(node) is not None
    if not (has_flags or (image and engine) or is_described or mention().search(" ".join(words))):
        return
    if image and is_beside(image) and not mention().search(" ".join(words)):
        return
    engine = engine or engine_of_flags([*words, *extra, *additional])
    if engine is None and not mention().search(" ".join(words)):
        return
    if engine is not None and settings is not None:
        extra += flags_of(engine, settings, environment)
        notes = unread(engine, settings)
    if engine is not None and settings is None and (extra or not words):
        extra = [*flags_of(engine, node, environment, has_words=False), *extra]
    if engine is not None:
        extra += adapters_of(engine, node.get("adapters"))
        environment = {**environment, **variables_of_flags(engine, node)}
    own = {
        name: value
        for name, value in environment.items()
        if name not in _COUNT_VARIABLES and not (name.upper().endswith("_ARGS") and additional)
    }
    gpu, gpus = accelerators(node)
    notes += [f"left out, the variables of {source}" for source in other_variables(node)]
    line = node.line if isinstance(node, Lined) else 1
    all_words = [*words, *extra, *additional]
    for server in of_container(image or _format(node) or engine or "", all_words, own):
        yield replace(
            server,
            line=line,
            is_fragment=not (words or image or given or additional or _model(node)),
            notes=(*server.notes, *notes),
            image=image,
            model=_model(node),
            name=node["name"] if isinstance(node.get("name"), str) else None,
            gpu=gpu,
            gpus=gpus,
        )


def _starts_one(node: Any) -> bool:
    """Whether a text below starts a server."""
    if isinstance(node, str):
        return mention().search(node) is not None
    children = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return any(map(_starts_one, children))


def _image(node: Mapping[Any, Any]) -> str | None:
    image = node.get("image")
    if isinstance(image, Mapping):
        name = next((image[key] for key in ("repository", "image", "name") if image.get(key)), None)
        registry = (
            f"{image['registry']}/" if isinstance(image.get("registry"), str) and image["registry"] else ""
        )
        return f"{registry}{name}:{image.get('tag') or 'latest'}" if isinstance(name, str) else None
    if isinstance(image, str) and image:
        image = interpolated(image)
        return f"{image}:{node['tag']}" if isinstance(node.get("tag"), str) and ":" not in image else image
    repository = node.get("repository")
    return f"{repository}:{node.get('tag', 'latest')}" if isinstance(repository, str) else None


def _task_image(node: Mapping[Any, Any]) -> str | None:
    resources = node.get("resources")
    image = resources.get("image_id") if isinstance(resources, Mapping) else None
    if isinstance(node.get("image"), str) and node["image"]:
        return str(node["image"])
    return image.removeprefix("docker:") if isinstance(image, str) and image.startswith("docker:") else None


def _model(node: Mapping[Any, Any]) -> str | None:
    for key in _MODEL_KEYS:
        value = node.get(key)
        if isinstance(value, str) and value:
            return _SCHEME.sub("", value)
    return _model_beside(node)
