#!/bin/sh
# Rendered by servespec 0.1.0 from llama-production.yaml for vllm 0.25.1, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:5158d74d18f99429fa9d31d67123f9f72c911cd9e9a9ebfe9d6908920c9102a8
# Needs the package vllm (0.10 or later), of whatever engine the server is.
set -eu
export OPENAI_API_KEY="${SERVER_API_KEY:?}"
default=http://localhost:8000

exec vllm bench serve --base-url "${SERVER_URL:-$default}" \
  --backend openai \
  --endpoint /v1/completions \
  --model meta-llama/Llama-3.1-8B-Instruct \
  --served-model-name meta-llama/Llama-3.1-8B-Instruct \
  --dataset-name random \
  --random-input-len 512 \
  --random-prefix-len 0 \
  --random-output-len 128 \
  --ignore-eos \
  --num-prompts 100 \
  --max-concurrency 32 \
  --seed 0
