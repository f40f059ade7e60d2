#!/bin/sh
# Rendered by servespec 0.1.0 from deepseek-v3-2x8xh200.yaml for sglang 0.5.17, format client.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:13c5e20c47e4ffa74b4ba21ac9b49e94eedb964c367a95be6f484656c903b830
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
