#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for sglang 0.5.17, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:67749c4dad06fc5425790145b4f062f794294d76f2b5de8f04a8ea990e477a66
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
