#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:caf39c2bc1dc0e0259021721f0b4a4a9ae0896ecae32badda3a4d2afa4351d8a
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
