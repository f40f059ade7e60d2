#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for sglang 0.5.17, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:574b95e64a3f774645a7544d2b3a3502dce1381a69bc6d0635b5ffe615e3a573
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
