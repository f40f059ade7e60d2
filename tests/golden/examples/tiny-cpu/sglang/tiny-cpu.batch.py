# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format batch.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:53fce279dc8a1f133204fc6dab0f42077a11d61b918db3310e12a6b0007de177
"""Answer the requests of a file (OpenAI's batch format) in one batch, without a server.

python THIS [INPUT [OUTPUT]]
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault('HF_HUB_OFFLINE', '1')

INPUT, OUTPUT = 'tiny-cpu.batch.jsonl', 'tiny-cpu.answers.jsonl'
REQUESTS = ['{"custom_id": "request-1", "method": "POST", "url": "/v1/completions", "body": {"model": "tiny", "prompt": "The quick brown fox", "max_tokens": 128}}']
ENGINE_ARGUMENTS = {
    'model_path': './examples/tiny-llama',
    'served_model_name': 'tiny',
    'device': 'cpu',
    'context_length': 512,
    'max_running_requests': 4,
    'max_total_tokens': 2097152,
    'enable_metrics': True,
    'constrained_json_disable_any_whitespace': True,
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
