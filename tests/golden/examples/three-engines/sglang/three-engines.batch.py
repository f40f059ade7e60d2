# Rendered by servespec 0.1.0 from three-engines.yaml for sglang 0.5.17, format batch.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:6f39fb81008f6c6a70b7864d1df9e623bbe2b1174c2e02f16b0523f0ed80b86e
"""Answer the requests of a file (OpenAI's batch format) in one batch, without a server.

python THIS [INPUT [OUTPUT]]
"""

import json
import os
import sys
from pathlib import Path


INPUT, OUTPUT = 'three-engines.batch.jsonl', 'three-engines.answers.jsonl'
REQUESTS = ['{"custom_id": "request-1", "method": "POST", "url": "/v1/completions", "body": {"model": "mistralai/Mistral-7B-Instruct-v0.3", "prompt": "The capital of France is", "max_tokens": 128}}']
ENGINE_ARGUMENTS = {
    'model_path': 'mistralai/Mistral-7B-Instruct-v0.3',
    'context_length': 8192,
    'max_running_requests': 64,
}


def main() -> None:
    import sglang

    source, target = Path((sys.argv[1:2] or [INPUT])[0]), Path((sys.argv[2:3] or [OUTPUT])[0])
    if not source.exists():
        source.write_text("".join(request + "\n" for request in REQUESTS))
    requests = [json.loads(line) for line in source.read_text().splitlines() if line.strip()]
    engine = sglang.Engine(**ENGINE_ARGUMENTS)
    try:
        answers = engine.generate(
            [request["body"]["prompt"] for request in requests],
            [
                {
                    "max_new_tokens": request["body"].get("max_tokens", 128),
                    "temperature": request["body"].get("temperature", 1.0),
                }
                for request in requests
            ],
        )
    finally:
        engine.shutdown()
    with target.open("w") as stream:
        for request, answer in zip(requests, answers, strict=True):
            line = {"custom_id": request["custom_id"], "text": answer["text"], "meta": answer["meta_info"]}
            stream.write(json.dumps(line) + "\n")


if __name__ == "__main__":  # the engine's worker processes import this file again
    main()
