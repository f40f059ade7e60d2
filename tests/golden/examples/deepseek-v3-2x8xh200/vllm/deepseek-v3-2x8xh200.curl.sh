#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for vllm 0.25.1, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:6dd3400c6cb71456838af07962824865302524318828e837bbf11c3ac53bede5
set -eu
default=http://localhost:8000
exec curl --fail-with-body --silent --show-error "${SERVER_URL:-$default}/v1/chat/completions" \
  --header 'Content-Type: application/json' \
  --data '{
  "model": "deepseek-ai/DeepSeek-V3",
  "messages": [
    {
      "role": "user",
      "content": "The capital of France is"
    }
  ],
  "max_tokens": 128
}'
