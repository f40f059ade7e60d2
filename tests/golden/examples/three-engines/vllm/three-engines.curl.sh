#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for vllm 0.25.1, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:8d9952da013ee0ee13b78db8be0cde36c6b4bb4596343a6ac005a4985ba09e6f
set -eu
default=http://localhost:8000
exec curl --fail-with-body --silent --show-error "${SERVER_URL:-$default}/v1/chat/completions" \
  --header 'Content-Type: application/json' \
  --data '{
  "model": "mistralai/Mistral-7B-Instruct-v0.3",
  "messages": [
    {
      "role": "user",
      "content": "The capital of France is"
    }
  ],
  "max_tokens": 128
}'
