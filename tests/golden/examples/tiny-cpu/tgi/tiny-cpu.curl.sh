#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for tgi 3.3.7, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:8ab568f5bd51ec370ae4ef3ebca551bd2132440709e23d50a830a7bf1a62f15f
set -eu
default=http://127.0.0.1:8000
exec curl --fail-with-body --silent --show-error "${SERVER_URL:-$default}/v1/chat/completions" \
  --header 'Content-Type: application/json' \
  --data '{
  "model": "./tiny-llama",
  "messages": [
    {
      "role": "user",
      "content": "The quick brown fox"
    }
  ],
  "max_tokens": 128
}'
