#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for tgi 3.3.7, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:d118f102c69cb6c413e6232d6f8ecaee38374f0b278e902910ec3676d21dac31
# Needs the package guidellm (0.8).
set -eu
default=http://127.0.0.1:8000
model=./tiny-llama

exec guidellm run \
  --backend "kind=openai_http,target=${SERVER_URL:-$default},model=$model" \
  --profile kind=concurrent,streams=32 \
  --constraint kind=max_requests,count=100 \
  --data kind=synthetic_text,prompt_tokens=512,output_tokens=128 \
  --seed kind=static,value=0
