#!/bin/sh
# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format docker.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:b3864424280928993bd16b397007001bb9b3b2350056fc7b78b8578aa74d6bb3
set -eu
engine=${CONTAINER_ENGINE:-docker}

exec "$engine" run "$@" \
  --rm \
  --name tiny-cpu \
  --publish 127.0.0.1:8000:8000 \
  --env HF_HUB_OFFLINE=1 \
  --mount type=volume,source=sglang-weights,target=/root/.cache/huggingface \
  --mount type=bind,source=./examples/tiny-llama,target=/models/tiny-llama,readonly \
  --shm-size 34359738368b \
  --cap-drop ALL \
  --cap-add SYS_NICE \
  --security-opt no-new-privileges:true \
  --stop-timeout 60 \
  --entrypoint python3 docker.io/lmsysorg/sglang:v0.5.23-xeon -m sglang.launch_server \
  --model-path /models/tiny-llama \
  --host 0.0.0.0 \
  --port 8000 \
  --served-model-name tiny \
  --device cpu \
  --context-length 512 \
  --max-running-requests 4 \
  --max-total-tokens 2097152 \
  --enable-metrics \
  --constrained-json-disable-any-whitespace
