"""Headers of safetensors files, honest and dishonest ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servespec.errors import ServespecError, SourceError
from servespec.models.sources.safetensors import read_folder, read_header


def write(path: Path, header: Any, data_bytes: int = 0, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(
        (len(text) if length is None else length).to_bytes(8, "little") + text + b"\0" * data_bytes
    )
    return path


def entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_every_tensor_has_its_exact_bytes(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "a": entry("BF16", [4, 8], 0, 64),
        "b": entry("F32", [], 64, 68),
        "c": entry("F8_E4M3", [3], 68, 71),
    }
    tensors = read_header(write(tmp_path / "x.safetensors", header, 71))
    assert {tensor.name: (tensor.shape, tensor.bytes) for tensor in tensors} == {
        "a": ((4, 8), 64),
        "b": ((), 4),
        "c": ((3,), 3),
    }


@pytest.mark.parametrize(
    ("header", "data", "length", "said"),
    [
        (b"", 0, 5, "cut short"),
        (b"{", 0, None, "no JSON"),
        (b"[" * 100_000, 0, None, "no JSON"),
        ([], 0, None, "no JSON object"),
        ({"a": entry("BF16", [4], 0, 8)}, 4, None, "cut short"),
        ({"a": entry("BF16", [4], 0, 7)}, 8, None, "its shape says otherwise"),
        ({"a": entry("BF16", [1 << 40, 1 << 40], 0, 8)}, 8, None, "its shape says otherwise"),
        ({"a": entry("BF16", [-4], 0, 8)}, 8, None, "no valid type"),
        ({"a": entry("FLOAT", [4], 0, 8)}, 8, None, "no valid type"),
        ({"a": entry("BF16", [4], 8, 0)}, 8, None, "its shape says otherwise"),
        ({"a": {"dtype": "BF16"}}, 8, None, "no valid type"),
        ({"a": 3}, 8, None, "no valid type"),
        ({"a": entry("U8", [8], 0, 8), "b": entry("U8", [8], 4, 12)}, 12, None, "overlap"),
    ],
)
def test_a_header_that_lies_is_refused(
    tmp_path: Path, header: Any, data: int, length: int | None, said: str
) -> None:
    path = write(tmp_path / "x.safetensors", header, data, length)
    with pytest.raises(SourceError, match=said):
        read_header(path)


def test_a_header_longer_than_any_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write((200_000_000).to_bytes(8, "little"))
        file.truncate(300_000_000)
    with pytest.raises(SourceError, match="no safetensors file has"):
        read_header(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_bytes_end_in_another_error_than_our_own(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    try:
        read_header(path)
    except ServespecError:
        return


def shard(folder: Path, name: str, tensor: str) -> None:
    write(folder / name, {tensor: entry("BF16", [4], 0, 8)}, 8)


def test_the_index_decides_which_files_belong_to_the_model(tmp_path: Path) -> None:
    shard(tmp_path, "model-1.safetensors", "a")
    shard(tmp_path, "model-2.safetensors", "b")
    shard(tmp_path, "other.safetensors", "c")
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert {tensor.name for tensor in read_folder(tmp_path)} == {"a", "b"}


def test_a_shard_that_the_index_names_and_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')
    with pytest.raises(SourceError, match=r"lacks model-1\.safetensors"):
        read_folder(tmp_path)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "..\\x"])
def test_an_index_cannot_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(SourceError, match="outside its folder"):
        read_folder(tmp_path)


def test_a_second_copy_under_another_name_is_not_counted_twice(tmp_path: Path) -> None:
    shard(tmp_path, "model.safetensors", "a")
    shard(tmp_path, "consolidated.safetensors", "b")
    shard(tmp_path, "adapter_model.safetensors", "c")
    assert [tensor.name for tensor in read_folder(tmp_path)] == ["a"]


def test_a_tensor_in_two_files_is_refused(tmp_path: Path) -> None:
    shard(tmp_path, "a.safetensors", "x")
    shard(tmp_path, "b.safetensors", "x")
    with pytest.raises(SourceError, match="in another file too"):
        read_folder(tmp_path)
