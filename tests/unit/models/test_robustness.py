"""A configuration is untrusted: whatever stands in it, facts or an error of our own come out."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servespec.errors import ServespecError
from servespec.models import facts_from_config
from servespec.models.quantization import by_format, checkpoint_bytes
from servespec.models.sources import catalogue

ODD: list[Any] = [
    *(None, 0, -1, 1, 3, 7, 10**18, 1.5, float("nan"), float("inf"), True, False),
    *("", "x", "4096", "re:(", [], [1], ["a"], [None], [[1]], {}, {"a": 1}),
]


def one_of_each_architecture() -> list[Mapping[str, Any]]:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for model in catalogue.ids():
        entry = catalogue.read(model)
        assert entry is not None
        quantization = entry.config.get("quantization_config") or {}
        key = (str(entry.config["architectures"]), str(quantization.get("quant_method")))
        found.setdefault(key, entry.config)
    return list(found.values())


def paths(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield (*above, key)
        if isinstance(value, dict) and key != "quantized_layers":
            yield from paths(value, (*above, key))


CONFIGS = [(config, list(paths(config))) for config in one_of_each_architecture()]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_one_odd_value_in_any_configuration_ends_in_facts_or_in_our_own_error(data: st.DataObject) -> None:
    config, places = data.draw(st.sampled_from(CONFIGS))
    path = data.draw(st.sampled_from(places))
    changed = copy.deepcopy(dict(config))
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = data.draw(st.sampled_from(ODD))
    try:
        facts = facts_from_config(changed, id="test", source="test")
        for group in facts.tensors:
            for part, found in by_format(facts.quantization, group):
                assert checkpoint_bytes(part, found, facts.dtype) > 0
    except ServespecError:
        return
    assert facts.parameters > 0
