#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:33d640e2bf08ac5266cb3772618d2ac0a78dc0a673f9198b4a771e50357ce8f6
# Needs the package guidellm (0.8).
set -eu
default=http://127.0.0.1:8000
model=tiny

exec guidellm run \
  --backend "kind=openai_http,target=${SERVER_URL:-$default},model=$model" \
  --profile kind=concurrent,streams=32 \
  --constraint kind=max_requests,count=100 \
  --data kind=synthetic_text,prompt_tokens=512,output_tokens=128 \
  --seed kind=static,value=0
