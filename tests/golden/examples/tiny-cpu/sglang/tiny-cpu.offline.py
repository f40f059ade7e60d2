# Rendered by servespec 0.1.0 from tiny-cpu.yaml for sglang 0.5.23, format offline.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:f5b13858c8186747e955183682b64dde16437a1af877cb1e49e6d0da7620dd10
"""Complete prompts in this process, without a server."""

import os

os.environ.setdefault('HF_HUB_OFFLINE', '1')

PROMPTS = ['The quick brown fox']
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

    engine = sglang.Engine(**ENGINE_ARGUMENTS)
    try:
        sampling = {"temperature": 0.0, "max_new_tokens": 128}
        for prompt, output in zip(PROMPTS, engine.generate(PROMPTS, sampling), strict=True):
            print(f"{prompt!r}: {output['text']!r}")
    finally:
        engine.shutdown()


if __name__ == "__main__":  # the engine's worker processes import this file again
    main()
