# Rendered by servespec 0.1.0 from tiny-cpu.yaml for vllm 0.32.0, format offline.
# Change the spec and render again; servespec keeps a file that was changed by hand.
# servespec-hash: sha256:115cb8b84943829894e11849db9b722710f0f3f29747a0cfb368e1c374d547ae
"""Complete prompts in this process, without a server."""

import os

os.environ.setdefault('HF_HUB_OFFLINE', '1')
os.environ.setdefault('VLLM_CPU_OMP_THREADS_BIND', 'nobind')
os.environ.setdefault('VLLM_ENABLE_V1_MULTIPROCESSING', '0')
os.environ.setdefault('VLLM_CPU_KVCACHE_SPACE', '1')

PROMPTS = ['The quick brown fox']
ENGINE_ARGUMENTS = {
    'model': './examples/tiny-llama',
    'max_model_len': 512,
    'max_num_seqs': 4,
    'enforce_eager': True,
    'structured_outputs_config': {
        'backend': 'xgrammar',
        'disable_any_whitespace': True,
    },
}


def main() -> None:
    from vllm import LLM, SamplingParams

    llm = LLM(**ENGINE_ARGUMENTS)
    sampling = SamplingParams(temperature=0.0, max_tokens=128)
    for output in llm.generate(PROMPTS, sampling):
        print(f"{output.prompt!r}: {output.outputs[0].text!r}")


if __name__ == "__main__":  # the engine's worker processes import this file again
    main()
