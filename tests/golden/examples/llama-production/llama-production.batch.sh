#!/bin/sh
# Rendered by servespec 0.1.0 from llama-production.yaml for vllm 0.25.1, format batch.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:afc9ee58a3f4b23a4ba74ad97b0db4a51fdd4852a7089b7c33da2d52aa59a678
# Answers the requests of INPUT (OpenAI's batch format) into OUTPUT: llama-production.batch.jsonl and llama-production.answers.jsonl unless given.
set -eu
export VLLM_API_KEY="${SERVER_API_KEY:?}"
input=${1:-llama-production.batch.jsonl}
output=${2:-llama-production.answers.jsonl}
if [ ! -e "$input" ]; then
  printf '%s\n' \
    '{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "meta-llama/Llama-3.1-8B-Instruct", "messages": [{"role": "user", "content": "The capital of France is"}], "max_tokens": 128}}' \
    > "$input"
fi

exec vllm run-batch \
  --model meta-llama/Llama-3.1-8B-Instruct \
  --max-model-len 32768 \
  --max-num-seqs 256 \
  --input-file "$input" \
  --output-file "$output"
