#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for vllm 0.32.0, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:56e99e11f6fcba462aef1caaa13c87d316a005b24858148a74e2e6af0370df6c
# Needs the package vllm (0.10 or later), of whatever engine the server is.
set -eu
default=http://127.0.0.1:8000

exec vllm bench serve --base-url "${SERVER_URL:-$default}" \
  --backend openai \
  --endpoint /v1/completions \
  --model ./examples/tiny-llama \
  --served-model-name tiny \
  --dataset-name random \
  --random-input-len 384 \
  --random-prefix-len 0 \
  --random-output-len 96 \
  --ignore-eos \
  --num-prompts 100 \
  --max-concurrency 32 \
  --seed 0
