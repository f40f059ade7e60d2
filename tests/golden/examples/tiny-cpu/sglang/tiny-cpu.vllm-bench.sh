#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:43aba19968aca77a55ab52fff85f29ac99b479b6eb6a931dedee64996e9f5610
# Needs the package vllm (0.10 or later), of whatever engine the server is.
set -eu
default=http://127.0.0.1:8000

exec vllm bench serve --base-url "${SERVER_URL:-$default}" \
  --backend openai \
  --endpoint /v1/completions \
  --model ./examples/tiny-llama \
  --served-model-name tiny \
  --dataset-name random \
  --random-input-len 512 \
  --random-prefix-len 0 \
  --random-output-len 128 \
  --ignore-eos \
  --num-prompts 100 \
  --max-concurrency 32 \
  --seed 0
