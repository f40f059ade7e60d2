#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for sglang 0.5.17, format docker.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:dae4ee6efcb400e1626c4778711591ff688a37b7ff200372f59d23595ce84ca1
set -eu
engine=${CONTAINER_ENGINE:-docker}
# Docker hands out GPUs by number; podman hands them out by the container device interface.
case $engine in
  *podman) set -- --device nvidia.com/gpu=all ;;
  *) set -- --gpus 1 ;;
esac

exec "$engine" run "$@" \
  --rm \
  --name three-engines \
  --publish 8000:8000 \
  --mount type=volume,source=sglang-weights,target=/root/.cache/huggingface \
  --shm-size 34359738368b \
  --cap-drop ALL \
  --security-opt no-new-privileges:true \
  --stop-timeout 60 \
  --entrypoint python3 docker.io/lmsysorg/sglang:v0.5.17 -m sglang.launch_server \
  --model-path mistralai/Mistral-7B-Instruct-v0.3 \
  --host 0.0.0.0 \
  --port 8000 \
  --context-length 8192 \
  --max-running-requests 64
