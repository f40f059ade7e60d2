#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for vllm 0.32.0, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:bb2bc5e3258888785fcc7a7b9491363d5701656a7f91d108fa5e482123613140
set -eu
default=http://127.0.0.1:8000
exec curl --fail-with-body --silent --show-error "${SERVER_URL:-$default}/v1/chat/completions" \
  --header 'Content-Type: application/json' \
  --data '{
  "model": "tiny",
  "messages": [
    {
      "role": "user",
      "content": "The quick brown fox"
    }
  ],
  "max_tokens": 128
}'
