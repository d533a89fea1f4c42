"""Lathe's graphs in onnxruntime-genai, whose kind of model "decoder" they are.

Models that transformers made are emitted in both dialects, and in int4. The files pass
onnx.checker with shape inference where it knows their operators; onnxruntime-genai
opens each beside a genai_config.json and goes on greedily from a prompt: every token is
the one of a plain loop over the graph, and, but for int4, of transformers. The fused
graphs also run with a buffer that past and present share, and then take more tokens in
the middle and go on. (It never feeds the last token that it generated where others are
added to it, with Optimum's graphs as with these: it is taken back and given again. With
buffers of their own, version 0.18 can do neither.) Needs what folders.py needs, and
onnx and onnxruntime-genai. Usage: genai.py [SEED]
"""
import json
import pathlib
import random
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime_genai as og
import torch
import transformers

from folders import made
from lathe import Graph, architectures, lathe

TOKENS, MORE = 24, 5  # generated before and after the interruption; tokens that it adds


def configure(dir, a, shared):
    """Writes the folder's genai_config.json."""
    decoder = {
        "session_options": {"log_id": "lathe", "provider_options": []}, "filename": "model.onnx",
        "head_size": a.head_dim, "hidden_size": a.d, "num_attention_heads": a.heads, "num_hidden_layers": a.layers, "num_key_value_heads": a.kv,
        "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask", "position_ids": "position_ids",
                   "past_key_names": "past_key_values.%d.key", "past_value_names": "past_key_values.%d.value"},
        "outputs": {"logits": "logits", "present_key_names": "present.%d.key", "present_value_names": "present.%d.value"},
    }
    end = a.vocab - 1
    model = {"type": "decoder", "vocab_size": a.vocab, "context_length": a.positions, "bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder": decoder}
    search = {"do_sample": False, "max_length": a.positions, "past_present_share_buffer": shared}
    (dir / "genai_config.json").write_text(json.dumps({"model": model, "search": search}, indent=1))


def check(path):
    """onnx.checker, but for what it cannot know: ONNX Runtime has one operator of its own
    in ONNX's domain, not in com.microsoft."""
    if any(n.op_type == "SimplifiedLayerNormalization" for n in onnx.load(path, load_external_data=False).graph.node):
        return
    onnx.checker.check_model(str(path), full_check=True)


def greedy(logits, a):
    """The best token, but never the one that ends."""
    return int(logits[0, -1, :a.vocab - 1].argmax())


def by_genai(dir, a, prompt, more):
    model = og.Model(str(dir))
    params = og.GeneratorParams(model)
    # The end is put off to the last position; until then its logit does not count.
    params.set_search_options(max_length=a.positions, min_length=a.positions, do_sample=False)
    generator = og.Generator(model, params)
    generator.append_tokens(np.array([prompt], np.int32))
    for _ in range(TOKENS):
        generator.generate_next_token()
    if more:
        last = int(generator.get_sequence(0)[-1])
        generator.rewind_to(len(prompt) + TOKENS - 1)
        generator.append_tokens(np.array([[last, *more]], np.int32))
        for _ in range(TOKENS):
            generator.generate_next_token()
    return [int(t) for t in generator.get_sequence(0)]


def by_loop(graph, a, prompt, more):
    graph.reset()
    tokens, fed = [], []
    for added in (prompt, more):
        tokens, fed = tokens + added, fed + added
        for _ in range(TOKENS if added else 0):
            tokens.append(greedy(graph.feed([fed]), a))
            fed = tokens[-1:]
    return tokens


@torch.no_grad()
def by_transformers(model, a, prompt):
    tokens = list(prompt)
    for _ in range(TOKENS):
        tokens.append(greedy(model(torch.tensor([tokens])).logits.numpy(), a))
    return tokens


def main():
    transformers.utils.logging.disable_progress_bar()
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    rng = random.Random(seed)
    print(f"onnxruntime-genai {og.__version__}, onnx {onnx.__version__}, transformers {transformers.__version__}")
    runs = wrong = 0
    with tempfile.TemporaryDirectory() as work:
        for i, a in enumerate(architectures(rng)):
            dir = pathlib.Path(work) / str(i)
            model = made(a, seed + i)
            model.save_pretrained(dir / "folder")
            prompt = [rng.randrange(a.vocab - 1) for _ in range(rng.randint(1, a.positions - 2 * TOKENS - MORE - 1))]
            more = [rng.randrange(a.vocab - 1) for _ in range(MORE)]
            reference = by_transformers(model, a, prompt)
            said = []
            for dialect in a.dialects() + [f"{d} int4" for d in a.dialects()]:
                to, fused = dir / dialect, dialect.startswith("fused")
                build = ("+fused" if fused else "+portable") + ("+int4b32" if dialect.endswith("int4") else "+fp32")
                lathe("emit", build, "--weights", dir / "folder", "-o", to)
                check(to / "model.onnx")
                graph = Graph(to / "model.onnx")
                for way, shared in [("own buffers", False)] + [("shared buffers", True)] * fused:
                    configure(to, a, shared)
                    then = more if shared else []
                    got, want = by_genai(to, a, prompt, then), by_loop(graph, a, prompt, then)
                    same = got == want and (got[:len(reference)] == reference or dialect.endswith("int4"))
                    runs += 1
                    wrong += not same
                    if not same:
                        said.append(f"{dialect} with {way} DIFFERS: {got}, not {want}; transformers: {reference}")
            print(f"{a}, prompt of {len(prompt)}: {', '.join(said) or 'all agree'}", flush=True)
    print(f"{wrong} of {runs} runs differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
