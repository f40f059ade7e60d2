"""Specs and deployments that tests of lowering share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from servespec.api import resolve
from servespec.deployment import Deployment
from servespec.engines import get_engine
from servespec.engines.flag_argv import ParsedArgv
from servespec.engines.flag_catalogue import load
from servespec.engines.launch import Launch
from servespec.spec.loader import load_text

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def spec_data(**sections: Any) -> dict[str, Any]:
    """A spec as plain data; ``sections`` replace the top-level keys."""
    return {
        "servespec": "v1",
        "name": "a-model",
        "model": {"id": LLAMA},
        "hardware": {"gpu": "H100-80GB", "count": 8},
        **sections,
    }


def deploy(
    engine: str, version: str | None = None, args: Mapping[str, Any] | None = None, **sections: Any
) -> Deployment:
    """The deployment of a spec on one engine; ``sections`` replace the spec's top-level keys."""
    import json

    targets = sections.pop("targets", None) or {
        engine: {key: value for key, value in (("version", version), ("args", args)) if value is not None}
    }
    loaded = load_text(json.dumps(spec_data(**sections, targets=targets)))
    assert loaded.spec is not None, loaded.diagnostics
    return resolve(loaded.spec, engine, Path())


def lower(
    engine: str, version: str | None = None, args: Mapping[str, Any] | None = None, **sections: Any
) -> Launch:
    """What that deployment lowers to."""
    return get_engine(engine).lower(deploy(engine, version, args, **sections))


def unsaid(engine: str, version: str | None = None, **sections: Any) -> dict[str, str]:
    """Message by key of what the version cannot express."""
    deployment = deploy(engine, version, **sections)
    return {d.key or "": d.message for d in get_engine(engine).inexpressible(deployment)}


def parsed(launch: Launch) -> ParsedArgv:
    """The flags as the catalogue of the launch's version reads them."""
    return load(launch.engine, launch.version).parse(launch.flags)


SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "model": st.fixed_dictionaries(
            {"id": st.just(LLAMA)},
            optional={
                "revision": st.just("main"),
                "dtype": st.sampled_from(["auto", "bfloat16", "float16"]),
                "trust_remote_code": st.booleans(),
                "adapters": st.fixed_dictionaries(
                    {},
                    optional={
                        "max_loras": st.integers(1, 8),
                        "max_rank": st.sampled_from([8, 16, 64]),
                        "modules": st.just({"sql": "org/sql-lora"}),
                    },
                ),
            },
        ),
        "limits": st.fixed_dictionaries(
            {},
            optional={
                "max_model_len": st.integers(128, 8192),
                "max_concurrent_requests": st.integers(1, 512),
                "max_batched_tokens": st.integers(8192, 16384),
                "gpu_memory_fraction": st.sampled_from([0.5, 0.8, 0.9]),
            },
        ),
        "parallel": st.fixed_dictionaries({}, optional={"tensor": st.sampled_from([1, 2, 4])}),
        "kv_cache": st.fixed_dictionaries(
            {},
            optional={
                "dtype": st.sampled_from(["auto", "fp8_e5m2"]),
                "prefix_caching": st.booleans(),
                "block_size": st.sampled_from([16, 32]),
                "cpu_offload_gib": st.sampled_from([0, 4, 2.5]),
                "space_gib": st.sampled_from([1, 2.5]),
            },
        ),
        "server": st.fixed_dictionaries(
            {}, optional={"served_model_name": st.sampled_from(["name", "-x", "a b"]), "port": st.just(9000)}
        ),
        "speculative": st.fixed_dictionaries(
            {"method": st.just("ngram"), "tokens": st.integers(1, 8)},
        ),
    },
)
"""Sections of specs that the flags of some version can express and those of others cannot."""
