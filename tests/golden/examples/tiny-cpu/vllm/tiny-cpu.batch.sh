#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for vllm 0.32.0, format batch.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:05c2e9d994be65b8955334aab7c7aae1ac8ed1b9047b79e6820f38bffe698a1c
# Answers the requests of INPUT (OpenAI's batch format) into OUTPUT: tiny-cpu.batch.jsonl and tiny-cpu.answers.jsonl unless given.
set -eu
export HF_HUB_OFFLINE=1
export VLLM_CPU_OMP_THREADS_BIND=nobind
export VLLM_ENABLE_V1_MULTIPROCESSING=0
export VLLM_CPU_KVCACHE_SPACE=1
input=${1:-tiny-cpu.batch.jsonl}
output=${2:-tiny-cpu.answers.jsonl}
if [ ! -e "$input" ]; then
  printf '%s\n' \
    '{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "tiny", "messages": [{"role": "user", "content": "The quick brown fox"}], "max_tokens": 128}}' \
    > "$input"
fi

exec vllm run-batch \
  --model ./examples/tiny-llama \
  --served-model-name tiny \
  --max-model-len 512 \
  --max-num-seqs 4 \
  --enforce-eager \
  --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}' \
  --input-file "$input" \
  --output-file "$output"
