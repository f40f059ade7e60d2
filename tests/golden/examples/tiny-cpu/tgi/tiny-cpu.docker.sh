#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for tgi 3.3.7, format docker.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:707451d0f3f1c15362ea502bad890b4b58a1349aa2e9b0fac054a5330b358587
set -eu
engine=${CONTAINER_ENGINE:-docker}

exec "$engine" run "$@" \
  --rm \
  --name tiny-cpu \
  --publish 127.0.0.1:8000:8000 \
  --env HF_HUB_OFFLINE=1 \
  --mount type=volume,source=tgi-weights,target=/data \
  --mount type=bind,source=./examples/tiny-llama,target=/models/tiny-llama,readonly \
  --shm-size 1073741824b \
  --cap-drop ALL \
  --cap-add SYS_NICE \
  --security-opt no-new-privileges:true \
  --stop-timeout 120 \
  ghcr.io/huggingface/text-generation-inference:3.3.7-intel-cpu \
  --model-id /models/tiny-llama \
  --hostname 0.0.0.0 \
  --port 8000 \
  --num-shard 1 \
  --max-total-tokens 512 \
  --max-concurrent-requests 4
