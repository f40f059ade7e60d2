"""Reading a configuration: defaults of its class, and clear errors for values that make no sense."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servespec.errors import ServespecError, SourceError
from servespec.models import facts_from_config
from servespec.models.config import Config
from servespec.models.facts import ModelFacts

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 512,
    "torch_dtype": "bfloat16",
}


def facts(**changes: Any) -> ModelFacts:
    return facts_from_config({**LLAMA, **changes}, id="test", source="test")


def test_a_missing_key_takes_the_default_of_its_class_and_null_does_not() -> None:
    assert Config({"model_type": "gemma3_text"}).optional("head_dim") == 256
    assert Config({"model_type": "gemma3_text", "head_dim": None}).optional("head_dim") is None


def test_a_nested_part_that_the_file_omits_has_its_classes_defaults() -> None:
    vision = Config({"model_type": "llama4"}).sub("vision_config")
    assert vision is not None
    assert vision.size("patch_size") == 14
    assert Config({"model_type": "llama4", "vision_config": None}).sub("vision_config") is None


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("hidden_size", "large", "a whole number"),
        ("hidden_size", -1, "a whole number"),
        ("hidden_size", 1e300, "a whole number"),
        ("hidden_size", True, "a whole number"),
        ("num_hidden_layers", 10**9, "from 0 to 4,096"),
        ("num_attention_heads", 0, "at least 1"),
        ("vocab_size", [1], "a whole number"),
        ("layer_types", "full", "a list"),
        ("rope_scaling", 3, "a mapping"),
        ("tie_word_embeddings", "yes", "true or false"),
        ("architectures", [1], "a list of strings"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named_with_what_was_expected(
    key: str, value: object, expected: str
) -> None:
    with pytest.raises(SourceError) as error:
        facts(**{key: value, "sliding_window": 16})
    assert key in str(error.value)
    assert expected in str(error.value)


def test_a_type_that_is_not_named_is_taken_as_bfloat16_and_said_to_be() -> None:
    found = facts(torch_dtype=None)
    assert found.dtype == "bfloat16"
    assert found.extra["dtype_assumed"] is True
    assert "dtype_assumed" not in facts().extra
    assert facts(torch_dtype="torch.float16").dtype == "float16"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    key=st.sampled_from([*LLAMA, "rope_scaling", "quantization_config", "head_dim", "sliding_window"]),
    value=JSON,
)
def test_no_value_of_any_key_ends_in_another_error_than_our_own(key: str, value: object) -> None:
    try:
        found = facts(**{key: value})
    except ServespecError:
        return
    assert found.parameters > 0


@given(
    heads=st.integers(1, 16),
    group=st.integers(1, 4),
    head_dim=st.sampled_from([8, 16, 64]),
    layers=st.integers(1, 6),
    hidden=st.integers(8, 256),
    vocab=st.integers(1, 1000),
    tied=st.booleans(),
)
def test_parameters_are_the_sum_of_what_the_shapes_say(
    heads: int, group: int, head_dim: int, layers: int, hidden: int, vocab: int, tied: bool
) -> None:
    found = facts(
        num_attention_heads=heads * group,
        num_key_value_heads=heads,
        head_dim=head_dim,
        num_hidden_layers=layers,
        hidden_size=hidden,
        vocab_size=vocab,
        tie_word_embeddings=tied,
    )
    attention = hidden * head_dim * (2 * heads * group + 2 * heads)
    layer = attention + 3 * hidden * 128 + 2 * hidden
    assert found.parameters == layers * layer + hidden + vocab * hidden * (1 if tied else 2)


@given(layers=st.integers(1, 40), more=st.integers(1, 40))
def test_more_layers_never_have_fewer_parameters(layers: int, more: int) -> None:
    assert facts(num_hidden_layers=layers + more).parameters > facts(num_hidden_layers=layers).parameters
