# Rendered by servespec 0.1.0 from llama-production.yaml for vllm 0.25.1, format offline.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:fc715edfdabf8c15403864660d6670b5b50310a66f9e1d30febbad09a00a9bb3
"""Complete prompts in this process, without a server."""

import os

os.environ.setdefault('VLLM_API_KEY', os.environ['SERVER_API_KEY'])

PROMPTS = ['The capital of France is']
ENGINE_ARGUMENTS = {
    'model': 'meta-llama/Llama-3.1-8B-Instruct',
    'max_model_len': 32768,
    'max_num_seqs': 256,
}


def main() -> None:
    from vllm import LLM, SamplingParams

    llm = LLM(**ENGINE_ARGUMENTS)
    sampling = SamplingParams(temperature=0.0, max_tokens=128)
    for output in llm.generate(PROMPTS, sampling):
        print(f"{output.prompt!r}: {output.outputs[0].text!r}")


if __name__ == "__main__":  # the engine's worker processes import this file again
    main()
