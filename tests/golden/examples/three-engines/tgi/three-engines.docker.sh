#!/bin/sh
# Rendered by servespec 0.1.0 from three-engines.yaml for tgi 3.3.7, format docker.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:39fcc57d5bd54d5e4561875a3872d15de46698f37b4013a545809ec26a485636
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
  --mount type=volume,source=tgi-weights,target=/data \
  --shm-size 1073741824b \
  --cap-drop ALL \
  --security-opt no-new-privileges:true \
  --stop-timeout 120 \
  ghcr.io/huggingface/text-generation-inference:3.3.7 \
  --model-id mistralai/Mistral-7B-Instruct-v0.3 \
  --hostname 0.0.0.0 \
  --port 8000 \
  --num-shard 1 \
  --max-total-tokens 8192 \
  --max-concurrent-requests 64
