# Rendered by servespec 0.1.0 from three-engines.yaml for vllm 0.25.1, format offline.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:2c5422727c26b7a1b4e7b57c2c5bc8782a0ee66bd4f7f7de751bd66ca8ef9fcb
"""Complete prompts in this process, without a server."""

import os


PROMPTS = ['The capital of France is']
ENGINE_ARGUMENTS = {
    'model': 'mistralai/Mistral-7B-Instruct-v0.3',
    'max_model_len': 8192,
    'max_num_seqs': 64,
}


def main() -> None:
    from vllm import LLM, SamplingParams

    llm = LLM(**ENGINE_ARGUMENTS)
    sampling = SamplingParams(temperature=0.0, max_tokens=128)
    for output in llm.generate(PROMPTS, sampling):
        print(f"{output.prompt!r}: {output.outputs[0].text!r}")


if __name__ == "__main__":  # the engine's worker processes import this file again
    main()
