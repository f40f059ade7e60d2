#!/bin/sh
# Rendered by servespec 0.1.0 from llama-production.yaml for vllm 0.25.1, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:8175f951c34f642b15d9c7b5ca77b1008b7e29cb3cfa156250596f4803342904
set -eu
default=http://localhost:8000
exec curl --fail-with-body --silent --show-error "${SERVER_URL:-$default}/v1/chat/completions" \
  --header "Authorization: Bearer ""${SERVER_API_KEY:?}" \
  --header 'Content-Type: application/json' \
  --data '{
  "model": "meta-llama/Llama-3.1-8B-Instruct",
  "messages": [
    {
      "role": "user",
      "content": "The capital of France is"
    }
  ],
  "max_tokens": 128
}'
