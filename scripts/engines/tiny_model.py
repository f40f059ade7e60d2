#!/usr/bin/env python3
"""Make a tiny random model that vLLM, SGLang and transformers load like a real one.

    python scripts/engines/tiny_model.py OUT --arch llama [--layers 2 --hidden 128 ... --set KEY=JSON]

Writes config.json, generation_config.json, model.safetensors (random weights, the same bytes for the same
arguments) and a tokenizer: a byte-level BPE trained here on a few sentences, with a chat template. Nothing
is downloaded and no torch is needed: only the ``tokenizers`` package, which every engine's environment has.

The default sizes suit vLLM's CPU backend, whose attention takes head sizes 32, 64, 80, 96, 112, 128, … and
for MLA only a latent of 512 + 64.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from tiny_architectures import ARCHITECTURES, Shape, Tensors

SPECIAL_TOKENS = ["<|pad|>", "<|bos|>", "<|eos|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
PAD, BOS, EOS, END = range(4)
SPARE_TOKENS = 8
"""Rows of the embedding left for tokens that a tokenizer class adds by itself (Qwen2: <|endoftext|>)."""

SENTENCES = [
    "The quick brown fox jumps over the lazy dog while the server loads its weights.",
    "Every request has a prompt, and every answer ends with a token that says so.",
    "A cache keeps the keys and values of each layer, each head and each token.",
    "When the context is longer than the memory allows, the engine refuses to start.",
    "How many tokens fit on one card? As many as the blocks that are left will hold.",
    "Count from one to ten: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, then 16, 128, 4096 and 131072.",
    '{"name": "Grace", "age": 42, "languages": ["English", "German"], "active": true}',
    "def latency(requests):\n    return sum(r.seconds for r in requests) / len(requests)\n",
    "Les poids sont aléatoires; die Antworten sind Rauschen; пусть так; 这样也好。",
    "system user assistant tool function error warning info debug true false null",
]

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "<|{{ message['role'] if message['role'] in ('system', 'assistant') else 'user' }}|>"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] or [] %}{{ part['text'] if part['type'] == 'text' else '' }}{% endfor %}"
    "{% endif %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True)
class Encoding:
    """How one element type is written: the bytes of zero and one, and random numbers near 1/64.

    ``high_byte`` is the byte with the sign and the top of the exponent of numbers between 1/128 and 1/32;
    with all other bytes random, weights come at the speed of ``randbytes`` and need no arithmetic.
    """

    safetensors_name: str
    one: bytes
    high_byte: int
    sign: int = field(default=0x80)

    @property
    def width(self) -> int:
        return len(self.one)

    def constant(self, count: int, value: int) -> bytes:
        return (self.one if value else bytes(self.width)) * count

    def noise(self, count: int, source: random.Random) -> bytes:
        data = bytearray(source.randbytes(count * self.width))
        signs = bytes(self.high_byte | (self.sign if byte & 1 else 0) for byte in range(256))
        data[self.width - 1 :: self.width] = data[self.width - 1 :: self.width].translate(signs)
        return bytes(data)


ENCODINGS = {
    "bfloat16": Encoding("BF16", one=b"\x80\x3f", high_byte=0x3C),
    "float16": Encoding("F16", one=b"\x00\x3c", high_byte=0x20),
    "float32": Encoding("F32", one=b"\x00\x00\x80\x3f", high_byte=0x3C),
}


def main() -> int:
    arguments = parse_arguments()
    out: Path = arguments.out
    if out.is_dir() and any(out.iterdir()) and not (out / "config.json").exists():
        print(f"{out} is not empty and holds no model: nothing was written", file=sys.stderr)
        return 2
    shape = Shape(
        **{name: getattr(arguments, name) for name in Shape.__dataclass_fields__ if hasattr(arguments, name)}
    )
    architecture = ARCHITECTURES[arguments.arch]
    config, tensors = architecture(shape)
    config |= {
        "vocab_size": shape.vocab,
        "torch_dtype": arguments.dtype,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
    }
    config |= arguments.patch
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "config.json", config)
    generation = {"bos_token_id": BOS, "eos_token_id": [EOS, END], "pad_token_id": PAD}
    write_json(out / "generation_config.json", generation)
    write_weights(out / "model.safetensors", tensors, ENCODINGS[arguments.dtype], arguments.seed)
    write_tokenizer(out, shape)
    parameters = sum(prod(tensor.shape) for tensor in tensors.values())
    print(f"{out}: {config['architectures'][0]}, {parameters:,} parameters, {arguments.dtype}")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Make a tiny random model.", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--arch", default="llama", choices=sorted(ARCHITECTURES))
    parser.add_argument("--dtype", default="bfloat16", choices=sorted(ENCODINGS))
    parser.add_argument("--seed", type=int, default=0)
    sizes = {name: spec for name, spec in Shape.__dataclass_fields__.items() if name != "tied"}
    for name, spec in sizes.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=spec.default)
    parser.add_argument("--tied", action="store_true", default=False, help="tie the embeddings")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="patch config.json")
    arguments = parser.parse_args()
    if arguments.vocab < 320:
        parser.error("--vocab must be at least 320: 256 bytes, the special tokens and some merges")
    if arguments.heads % arguments.kv_heads:
        parser.error(f"--kv-heads {arguments.kv_heads} does not divide --heads {arguments.heads}")
    try:
        arguments.patch = {key: json.loads(value) for key, value in (s.split("=", 1) for s in arguments.set)}
    except ValueError as error:
        parser.error(f"--set wants KEY=JSON: {error}")
    return arguments


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def write_weights(path: Path, tensors: Tensors, encoding: Encoding, seed: int) -> None:
    """Write a safetensors file: the length of a JSON header, the header, the data, all little-endian."""
    source = random.Random(seed)
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    blocks: list[bytes] = []
    offset = 0
    for name, tensor in sorted(tensors.items()):
        count = prod(tensor.shape)
        block = (
            encoding.noise(count, source) if tensor.fill is None else encoding.constant(count, tensor.fill)
        )
        end = offset + len(block)
        header[name] = {
            "dtype": encoding.safetensors_name,
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        blocks.append(block)
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blocks))


def write_tokenizer(out: Path, shape: Shape) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=shape.vocab - SPARE_TOKENS,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.save(str(out / "tokenizer.json"))
    write_json(
        out / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": SPECIAL_TOKENS[BOS],
            "eos_token": SPECIAL_TOKENS[EOS],
            "pad_token": SPECIAL_TOKENS[PAD],
            "additional_special_tokens": SPECIAL_TOKENS[END:],
            "model_max_length": shape.max_position,
            "clean_up_tokenization_spaces": False,
            "chat_template": CHAT_TEMPLATE,
        },
    )


if __name__ == "__main__":
    sys.exit(main())
