#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for vllm 0.25.1, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:2bf8c6aaa5b4e16dd6d8a9053eeac2c4dcaaa28d2b45ce9af8980cb59e568710
# Needs the package vllm (0.10 or later), of whatever engine the server is.
set -eu
default=http://localhost:8000

exec vllm bench serve --base-url "${SERVER_URL:-$default}" \
  --backend openai \
  --endpoint /v1/completions \
  --model deepseek-ai/DeepSeek-V3 \
  --served-model-name deepseek-ai/DeepSeek-V3 \
  --dataset-name random \
  --random-input-len 512 \
  --random-prefix-len 0 \
  --random-output-len 128 \
  --ignore-eos \
  --num-prompts 100 \
  --max-concurrency 32 \
  --seed 0
