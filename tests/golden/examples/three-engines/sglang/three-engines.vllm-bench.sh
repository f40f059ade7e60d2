#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for sglang 0.5.17, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:2fd0fb75df3496e7dfc609ca8b33c523bcf6d4bf7116649163c5c461073cd653
# Needs the package vllm (0.10 or later), of whatever engine the server is.
set -eu
default=http://localhost:8000

exec vllm bench serve --base-url "${SERVER_URL:-$default}" \
  --backend openai \
  --endpoint /v1/completions \
  --model mistralai/Mistral-7B-Instruct-v0.3 \
  --served-model-name mistralai/Mistral-7B-Instruct-v0.3 \
  --dataset-name random \
  --random-input-len 512 \
  --random-prefix-len 0 \
  --random-output-len 128 \
  --ignore-eos \
  --num-prompts 100 \
  --max-concurrency 32 \
  --seed 0
