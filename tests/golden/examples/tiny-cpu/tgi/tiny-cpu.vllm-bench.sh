#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for tgi 3.3.7, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:0c1dee02cc8f07e21de97ee4d81b4acffdbd0602c7085012b25a3709d4002a32
# Needs the package vllm (0.10 or later), of whatever engine the server is.
set -eu
default=http://127.0.0.1:8000

exec vllm bench serve --base-url "${SERVER_URL:-$default}" \
  --backend openai \
  --endpoint /v1/completions \
  --model ./examples/tiny-llama \
  --served-model-name ./tiny-llama \
  --dataset-name random \
  --random-input-len 384 \
  --random-prefix-len 0 \
  --random-output-len 96 \
  --ignore-eos \
  --num-prompts 100 \
  --max-concurrency 32 \
  --seed 0
