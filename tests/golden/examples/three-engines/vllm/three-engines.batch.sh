#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for vllm 0.25.1, format batch.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:0d5b1b511c1b1c524e5f32a8288aba555313ff897d716f918cd00938266a72f8
# Answers the requests of INPUT (OpenAI's batch format) into OUTPUT: three-engines.batch.jsonl and three-engines.answers.jsonl unless given.
set -eu
input=${1:-three-engines.batch.jsonl}
output=${2:-three-engines.answers.jsonl}
if [ ! -e "$input" ]; then
  printf '%s\n' \
    '{"custom_id": "request-1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "mistralai/Mistral-7B-Instruct-v0.3", "messages": [{"role": "user", "content": "The capital of France is"}], "max_tokens": 128}}' \
    > "$input"
fi

exec vllm run-batch \
  --model mistralai/Mistral-7B-Instruct-v0.3 \
  --max-model-len 8192 \
  --max-num-seqs 64 \
  --input-file "$input" \
  --output-file "$output"
