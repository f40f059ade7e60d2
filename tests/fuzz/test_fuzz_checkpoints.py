"""Checkpoint folders are untrusted: configurations, safetensors headers, indexes, GGUF, locks and calibrations of any bytes."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzzing import fuzz
from hostile import ODD_VALUES, json_text
from hypothesis import strategies as st
from surviving import survives

from servespec.check import check_file
from servespec.errors import SourceError, UsageError
from servespec.models.sources import catalogue
from servespec.models.sources.safetensors import read_folder
from servespec.report import write
from servespec.report.model import CheckReport
from servespec.spec import load_text

SPEC = (
    "servespec: v1\nname: x\nmodel: {id: ./m}\nhardware: {gpu: H100-80GB, count: 2}\nparallel: {tensor: 2}\n"
)


def checked(folder: Path, spec: str = SPEC) -> CheckReport:
    """The report of a spec beside these files; every engine is asked."""
    try:
        report = CheckReport(files=(check_file(load_text(spec, "spec.yaml", folder)),))
    except UsageError:  # a configuration of the project that makes no sense
        assert (folder / "servespec.toml").exists() or (folder / "pyproject.toml").exists()
        return CheckReport(files=())
    for name in ("text", "json"):
        write(report, name).encode("utf-8", "surrogateescape")
    return report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("checkpoint")
    (made / "m").mkdir()
    return made


@pytest.fixture(autouse=True)
def clean(folder: Path) -> Iterator[None]:
    yield
    for path in folder.glob("**/*"):
        if path.is_file():
            path.unlink()


def configurations() -> list[dict[str, Any]]:
    """One of each architecture, without long lists of layers."""
    found: dict[str, dict[str, Any]] = {}
    for model in catalogue.ids():
        entry = catalogue.read(model)
        assert entry is not None
        found.setdefault(str(entry.config["architectures"]), dict(entry.config))
    return [config for config in found.values() if len(json.dumps(config)) < 20_000]


CONFIGURATIONS = configurations()


@st.composite
def damaged_configurations(draw: st.DrawFn) -> dict[str, Any]:
    config = copy.deepcopy(draw(st.sampled_from(CONFIGURATIONS)))
    for _ in range(draw(st.integers(0, 4))):
        inner = config
        while True:
            key = draw(st.sampled_from(sorted(inner) or ["x"]))
            if isinstance(inner.get(key), dict) and draw(st.booleans()):
                inner = inner[key]
                continue
            break
        if draw(st.integers(0, 4)):
            inner[key] = copy.deepcopy(draw(ODD_VALUES))
        else:
            inner.pop(key, None)
    return config


@fuzz(config=damaged_configurations(), quantization=st.none() | damaged_configurations() | ODD_VALUES)
def test_a_configuration_with_odd_values(folder: Path, config: dict[str, Any], quantization: Any) -> None:
    (folder / "m" / "config.json").write_text(json_text(config))
    if quantization is not None:
        (folder / "m" / "hf_quant_config.json").write_text(json_text(quantization))
    checked(folder)


PIECES = st.sampled_from(
    ["[", "{", "}", "]", '"', ",", ":", "null", "NaN", "-Infinity", "1e999", "9" * 5000, '{"a":' * 50, "[" * 3000, '"\\ud800"', "\\", "\0", "\ufeff"]
)  # fmt: skip


@fuzz(data=st.binary(max_size=200) | st.lists(PIECES, max_size=12).map(lambda parts: "".join(parts).encode()),
      name=st.sampled_from(["m/config.json", "m/hf_quant_config.json", "m/model.safetensors.index.json", "servespec.lock",
                            "servespec.toml", "pyproject.toml", ".servespec/calibration/a.json", "m/model.safetensors"]))  # fmt: skip
def test_any_bytes_in_any_file_beside_a_spec(folder: Path, data: bytes, name: str) -> None:
    (folder / "m" / "config.json").write_text(json_text(CONFIGURATIONS[0]))
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    try:
        checked(folder)
    finally:
        (folder / name).unlink()


@st.composite
def headers(draw: st.DrawFn) -> dict[str, Any]:
    size = st.one_of(
        st.integers(0, 64), st.sampled_from([-1, 2**31, 2**62, 2**64, 10**30, True, 1.5, "4", None])
    )
    entry = st.one_of(
        st.fixed_dictionaries(
            {},
            optional={
                "dtype": st.sampled_from(["BF16", "F32", "F4", "I8", "X", "", None, 3]),
                "shape": st.lists(size, max_size=20) | ODD_VALUES,
                "data_offsets": st.lists(size, max_size=3) | ODD_VALUES,
            },
        ),
        ODD_VALUES,
    )
    names = st.sampled_from(["__metadata__", "a", "b", "", "model.layers.0.w", "x" * 2000]) | st.text(
        max_size=5
    )
    return draw(st.dictionaries(names, entry, max_size=5))


@st.composite
def tensor_files(draw: st.DrawFn) -> bytes:
    """A header of any kind, its length told right, wrong or enormous, the data cut."""
    body = draw(st.one_of(headers().map(lambda h: json_text(h).encode()), st.binary(max_size=60)))
    length = draw(
        st.one_of(
            st.just(len(body)),
            st.integers(0, 2**64 - 1),
            st.sampled_from([0, len(body) + 1, 2**63, 99_999_999]),
        )
    )
    data = struct.pack("<Q", length) + body + bytes(draw(st.integers(0, 300)))
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


@fuzz(files=st.dictionaries(
    st.sampled_from(["model.safetensors", "model-00001-of-00002.safetensors", "consolidated.safetensors", "adapter_model.safetensors", "model.gguf"]),
    tensor_files() | st.binary(max_size=60).map(lambda rest: b"GGUF\x03\0\0\0" + rest), min_size=1, max_size=3),
    index=st.none() | ODD_VALUES | st.dictionaries(st.text(max_size=4), st.sampled_from(
        ["model.safetensors", "../x", "/etc/passwd", "a\0b", "", ".", "model-00001-of-00002.safetensors", 3, None]), max_size=3).map(lambda m: {"weight_map": m}))  # fmt: skip
def test_safetensors_and_gguf_of_any_kind(folder: Path, files: dict[str, bytes], index: Any) -> None:
    (folder / "m" / "config.json").write_text(json_text(CONFIGURATIONS[0]))
    for name, data in files.items():
        (folder / "m" / name).write_bytes(data)
    if index is not None:
        (folder / "m" / "model.safetensors.index.json").write_text(json_text(index))
    try:
        tensors = read_folder(folder / "m")
    except SourceError:
        tensors = ()
    try:
        assert all(tensor.bytes >= 0 and "\0" not in tensor.dtype for tensor in tensors)
        checked(folder)
    finally:
        for path in (folder / "m").iterdir():
            path.unlink()


@fuzz(data=st.binary(max_size=100))
def test_a_gguf_named_as_the_model(folder: Path, data: bytes) -> None:
    (folder / "x.gguf").write_bytes(b"GGUF" + data)
    report = checked(folder, SPEC.replace("./m", "./x.gguf"))
    assert report.exit_code() == 1
    survives(b"GGUF" + data)
