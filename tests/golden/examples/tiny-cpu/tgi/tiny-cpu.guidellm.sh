#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for tgi 3.3.7, format bench.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:1bd60adfbd363dcfb3aa3b2a27ba701bb9e6f94976dc760dd17d3d2a888560b6
# Needs the package guidellm (0.8).
set -eu
default=http://127.0.0.1:8000
model=./tiny-llama

exec guidellm run \
  --backend "kind=openai_http,target=${SERVER_URL:-$default},model=$model" \
  --profile kind=concurrent,streams=32 \
  --constraint kind=max_requests,count=100 \
  --data kind=synthetic_text,prompt_tokens=384,output_tokens=96 \
  --seed kind=static,value=0
