#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:ddcd70fcd3f40949a1b2a8ae8166054d2cccd424c4c1f8574d830b62dbf37aa0
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
