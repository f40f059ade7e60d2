# Rendered by servespec 0.1.0 from three-engines.yaml for sglang 0.5.17, format offline.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:c1e3f08f8230143e90184d0a05db2a0fcf72ca588b951704fbbb7453100bd20f
"""Complete prompts in this process, without a server."""

import os


PROMPTS = ['The capital of France is']
ENGINE_ARGUMENTS = {
    'model_path': 'mistralai/Mistral-7B-Instruct-v0.3',
    'context_length': 8192,
    'max_running_requests': 64,
}


def main() -> None:
    import sglang

    engine = sglang.Engine(**ENGINE_ARGUMENTS)
    try:
        sampling = {"temperature": 0.0, "max_new_tokens": 128}
        for prompt, output in zip(PROMPTS, engine.generate(PROMPTS, sampling), strict=True):
            print(f"{prompt!r}: {output['text']!r}")
    finally:
        engine.shutdown()


if __name__ == "__main__":  # the engine's worker processes import this file again
    main()
