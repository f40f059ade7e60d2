"""Literal secrets are found and never shown; what only refers to one is left alone."""

from __future__ import annotations

import pytest

from servespec.spec import load_text
from servespec.spec.secrets import redact

HEAD = "servespec: v1\nname: x\nmodel: {id: org/name}\nhardware: {gpu: cpu}\n"
SECRETS = [
    ("env: {HF_TOKEN: hf_short}", "hf_short"),
    ("env: {DB_PASSWORD: hunter2}", "hunter2"),
    ("env: {MY_API_KEY: '12ab'}", "12ab"),
    ("env: {HF_TOKEN: '${HF_TOKEN:-hunter2}'}", "hunter2"),
    ("env: {ANYTHING: hf_abcdefghijklmnopqrstuvwx}", "hf_abc"),
    ("env: {URL: 'https://user:hunter2@host/x'}", "hunter2"),
    ("targets: {vllm: {env: {SECRET: hunter2}}}", "hunter2"),
    ("targets: {vllm: {args: {api_key: hunter2}}}", "hunter2"),
    ("targets: {vllm: {args: {api-key: [hunter2, hunter3]}}}", "hunter"),
    ("targets: {vllm: {args: {x: {token: hunter2}}}}", "hunter2"),
    ("env: {MY_PW: hunter2, DB_PASS: hunter3}", "hunter"),
    ("targets: {vllm: {args: {'api_key hf_abcdefghijklmnopqrstuvwx': 1}}}", "hf_abc"),
    ("smoke: {prompts: [sk-abcdefghijklmnopqrstuvwxyz]}", "sk-abc"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_literal_secret_is_an_error_and_shown_nowhere(text: str, secret: str) -> None:
    loaded = load_text(HEAD + text + "\n")
    assert "SV501" in {d.code for d in loaded.diagnostics}
    assert secret not in repr(loaded.diagnostics)
    assert secret not in repr(loaded.spec)
    assert secret not in repr(loaded.nodes)


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_beside_another_mistake_is_not_shown_by_that_either(text: str, secret: str) -> None:
    loaded = load_text(HEAD + text.replace("{", "{1bad: ", 1) + "\n")
    assert loaded.diagnostics
    assert secret not in repr(loaded.diagnostics)


@pytest.mark.parametrize(
    "text",
    [
        "env: {HF_TOKEN: '${HF_TOKEN}'}",
        "env: {HF_TOKEN: $HF_TOKEN}",
        "env: {HF_TOKEN: '${OTHER:?set it}'}",
        "env: {HF_TOKEN: '${OTHER:-}'}",
        "env: {HF_TOKEN: ''}",
        "env: {USE_TOKEN: true}",
        "env: {TOKENIZERS_PARALLELISM: 'false'}",
        "env: {VLLM_MAX_TOKENS: '4096'}",
        "env: {HF_TOKEN_PATH: /run/secrets/hf}",
        "env: {NCCL_DEBUG: INFO, PWD: /app, OLDPWD: /srv, BYPASS: 'yes'}",
        "targets: {vllm: {args: {max_num_batched_tokens: '8192', tokenizer: org/name}}}",
        "model: {id: org/sk-model, config: ./hf_config.json}",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert (
        load_text(
            HEAD.replace("model: {id: org/name}\n", "") + text + "\n"
            if text.startswith("model")
            else HEAD + text + "\n"
        ).diagnostics
        == ()
    )


def test_redacting_keeps_the_length_so_that_carets_stay_in_place() -> None:
    line = 'export HF_TOKEN="hf_abcdefghijklmnopqrstuvwx" # and PASSWORD: hunter2'
    assert len(redact(line)) == len(line)
    assert "hunter2" not in redact(line)
    assert "hf_abc" not in redact(line)
