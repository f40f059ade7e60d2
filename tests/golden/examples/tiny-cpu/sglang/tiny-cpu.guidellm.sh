#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:6aca7ca0042fa4c147186e374bdd2f8b1ef2c5005d338d52bc1d5c63cbebd565
# Needs the package guidellm (0.8).
set -eu
default=http://127.0.0.1:8000
model=tiny

exec guidellm run \
  --backend "kind=openai_http,target=${SERVER_URL:-$default},model=$model" \
  --profile kind=concurrent,streams=32 \
  --constraint kind=max_requests,count=100 \
  --data kind=synthetic_text,prompt_tokens=384,output_tokens=96 \
  --seed kind=static,value=0
