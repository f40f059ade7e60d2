#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for tgi 3.3.7, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:6fc2368a7daef6215b5a80abcca9ef43ea327d3408c8e7f47fd5cd87ceb76a51
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
