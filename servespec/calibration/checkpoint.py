"""A folder that an engine takes for a checkpoint: the model's configuration and a tokenizer, no weights.

The engine fills the weights with random numbers (``--load-format dummy``); memory does not depend on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

END_OF_TEXT = "<|end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"
)


def write_checkpoint(
    config: Mapping[str, Any], folder: Path, hf_quant_config: Mapping[str, Any] | None = None
) -> Path:
    """Write ``config.json``, its quantization file and a byte-level tokenizer into the folder; returns it.

    The tokenizer knows the 256 bytes and one end token: every text can be tokenized, and every
    configuration's vocabulary is large enough for it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "config.json", config)
    if hf_quant_config is not None:
        _write(folder / "hf_quant_config.json", hf_quant_config)
    _write(folder / "tokenizer.json", _tokenizer())
    _write(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": END_OF_TEXT,
            "pad_token": END_OF_TEXT,
            "chat_template": CHAT_TEMPLATE,
            "model_max_length": 10**9,
        },
    )
    return folder


def _tokenizer() -> dict[str, Any]:
    """A byte-level tokenizer without merges, in the format of the tokenizers library."""
    vocabulary = {character: number for number, character in enumerate(byte_alphabet())}
    vocabulary[END_OF_TEXT] = len(vocabulary)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": vocabulary[END_OF_TEXT],
                "content": END_OF_TEXT,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [],
        },
    }


def byte_alphabet() -> list[str]:
    """The 256 characters by which byte-level tokenizers write bytes: printable ones stand for themselves."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    shown = {byte: chr(byte) for byte in printable}
    others = (byte for byte in range(256) if byte not in shown)
    shown |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    return [shown[byte] for byte in range(256)]


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
