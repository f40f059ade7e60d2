"""What rules look at, and the words by which they are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from servespec.models.facts import KVKind
from servespec.recall import by_identity
from servespec.rules.versions import release

if TYPE_CHECKING:
    from pydantic import BaseModel

    from servespec.deployment import Deployment, SettingValue
    from servespec.engines.flag_values import Problem
    from servespec.memory.budget import MemoryBudget
    from servespec.models.facts import ModelFacts
    from servespec.spec.model import Spec


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a rule looks at. ``deployment`` and ``budget`` are None for rules of scope ``spec``.

    ``directory`` is the spec's folder, against which relative paths hold; ``said`` are the words of the spec
    alone (:func:`spec_words`), where they are known already.
    """

    spec: Spec
    deployment: Deployment | None = None
    budget: MemoryBudget | None = None
    directory: Path = field(default_factory=Path)
    said: frozenset[str] | None = None

    @property
    def target(self) -> Deployment:
        """The deployment, for rules of scope ``target``, which are only run where there is one."""
        assert self.deployment is not None
        return self.deployment

    @property
    def version(self) -> str:
        """The engine's version that rules are held against: the one that is asked for, where it is a number.

        Flags follow the nearest release of the catalogue, but a rule may know a release that is not in it.
        """
        asked = self.target.asked_version
        return asked if release(asked) else self.target.version

    @property
    def model(self) -> ModelFacts:
        """Facts of the checkpoint; scope ``target``."""
        return self.target.model

    @cached_property
    def args(self) -> Mapping[str, tuple[str, Any]]:
        """The target's flags by every name they have in this version: name → (the name as written, the value).

        A negation stands under the flag it switches off; a flag that the version does not have stands
        under its name with underscores.
        """
        written = self.target.target.args
        if not written:
            return {}
        from servespec.engines.flag_catalogue import load

        catalogue = load(self.target.engine, self.target.version)
        found: dict[str, tuple[str, Any]] = {}
        for name, value in written.items():
            flag = catalogue.get(name)
            if flag is None:
                found[written_name(name)] = (name, value)
                continue
            if isinstance(value, bool) and f"--{written_name(name).replace('_', '-')}" in flag.negations:
                value = not value
            for alias in (flag.name, *flag.spellings):
                found[written_name(alias)] = (name, value)
        return found

    @cached_property
    def flag_problems(self) -> tuple[tuple[str, str, Problem], ...]:
        """What the catalogue finds wrong with the flags of every target: (engine, the name as written, what)."""
        from servespec.engines import engine_names
        from servespec.engines.flag_catalogue import load
        from servespec.engines.published import other_program

        found: list[tuple[str, str, Problem]] = []
        for engine, target in self.spec.targets.items():
            if (
                not target.args
                or engine not in engine_names()
                or other_program(engine, target.image, target.args)
            ):
                continue
            catalogue = load(engine, target.version or "newest")
            for name, value in target.args.items():
                problem = catalogue.check(name, value)
                if problem is not None:
                    found.append((engine, name, problem))
        return tuple(found)

    @cached_property
    def env(self) -> Mapping[str, Any]:
        """Environment variables of the target, its own over the spec's."""
        own = self.deployment.target.env if self.deployment else {}
        return {**self.spec.env, **own}

    def value(self, name: str) -> SettingValue:
        """The effective setting by the engine's own name, or the flag as written; None when neither."""
        settings = self.target.settings
        if name in settings:
            return settings.value(name)
        pair = self.args.get(name)
        return None if pair is None else pair[1]

    def integer(self, name: str) -> int | None:
        """The setting where it is an integer, otherwise None."""
        value = self.value(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number(self, name: str) -> float | None:
        """The setting where it is a number, otherwise None."""
        value = self.value(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def text(self, name: str) -> str | None:
        """The setting where it is text, otherwise None."""
        value = self.value(name)
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool:
        """Whether the setting is on."""
        return self.value(name) is True

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A setting that is a JSON object, given as a mapping or as its text; empty when it is neither."""
        value = self.value(name)
        if isinstance(value, str) and value.lstrip().startswith("{"):
            import json

            try:
                value = json.loads(value)
            except ValueError:
                return {}
        return value if isinstance(value, Mapping) else {}

    def key(self, name: str) -> str | None:
        """The dotted path in the spec that decides the setting; None where it is a default."""
        settings = self.target.settings
        if name in settings and settings[name].key is not None:
            return settings[name].key
        pair = self.args.get(name)
        return f"targets.{self.target.engine}.args.{pair[0]}" if pair else None

    def is_given(self, *names: str) -> bool:
        """Whether a person decided any of these settings, by a key or a flag."""
        return any(self.key(name) is not None for name in names)

    def environment_is_on(self, name: str) -> bool:
        """Whether an environment variable is set to something that engines take for true."""
        return str(self.env.get(name, "")).strip().lower() in {"1", "true", "yes", "on"}

    @cached_property
    def words(self) -> frozenset[str]:
        """What is said of this subject; see :func:`words`."""
        return words(self)


def written_name(name: str) -> str:
    """A flag's name with underscores, without leading dashes."""
    return name.lstrip("-").replace("-", "_")


def words(subject: Subject) -> frozenset[str]:
    """The words that rules are triggered by.

    ``limits.max_model_len`` for every key that is set (and ``limits`` for its section),
    ``args.max_num_seqs`` for every flag, ``env.NAME`` for every variable, and for a deployment
    ``model:moe``, ``model:mla``, ``model:recurrent``, ``model:sliding``, ``model:quantized``,
    ``model:multimodal``, ``gpu:cuda``/``gpu:rocm``/``gpu:cpu``.
    """
    said = set(spec_words(subject.spec) if subject.said is None else subject.said)
    said.update(f"env.{name}" for name in subject.env)
    if subject.deployment is None:
        return frozenset(said)
    said.update(f"args.{name}" for name in subject.args)
    said.add(f"gpu:{subject.deployment.gpu.kind}")
    said.update(_model_words(subject.deployment.model))
    return frozenset(said)


@by_identity
def _model_words(model: ModelFacts) -> tuple[str, ...]:
    kinds = {layers.kind for layers in model.kv}
    facts = (
        ("moe", model.moe is not None),
        ("mla", KVKind.latent in kinds),
        ("recurrent", KVKind.recurrent in kinds),
        ("sliding", KVKind.sliding in kinds),
        ("quantized", model.quantization is not None),
        ("multimodal", model.is_multimodal),
    )
    return tuple(f"model:{word}" for word, holds in facts if holds)


def spec_words(spec: Spec) -> frozenset[str]:
    """The words for the keys of a spec that are set."""
    said: set[str] = set()
    _collect(spec, "", said)
    return frozenset(said)


def _collect(section: BaseModel, prefix: str, said: set[str]) -> None:
    values = vars(section)
    for name in section.model_fields_set:
        value = values[name]
        if value is None:
            continue
        path = f"{prefix}{name}"
        said.add(path)
        if hasattr(value, "model_fields_set"):
            _collect(value, f"{path}.", said)
