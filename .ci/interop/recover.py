"""Decoders that Optimum exports, given back to Lathe.

GPT-2, LLaMA and Qwen2 models of random sizes and weights are exported as Optimum does,
left alone, optimized by onnxruntime's tools, merged of two, or cut to float16; some
without their config.json. Lathe has to recognise each (emit --weights MODEL.onnx), give
all weights back to the bit, and the graph that it emits from them has to give the logits
of the file that it was given, over a prompt and with a cache. Models that are nearly
such have to be refused.
"""
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import torch
from onnxruntime.transformers import optimizer
from optimum.exporters.onnx import onnx_export_from_model
from optimum.onnx.graph_transformations import merge_decoders
from safetensors.torch import load_file
from transformers import (GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig,
                          MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM)

from lathe import LATHE, Graph, difference, lathe

warnings.filterwarnings("ignore")
LIMIT = 2e-4


def draw(i, rng):
    """Model i: its kind cycles, its sizes are drawn."""
    kind = ["gpt2", "llama", "llama", "qwen2", "gpt2", "mistral"][i % 6]
    heads = rng.choice([1, 2, 3, 4, 6])
    width = heads * rng.choice([8, 12, 16])
    vocab, positions, layers = rng.randint(40, 200), rng.randint(32, 90), rng.randint(1, 3)
    if kind == "gpt2":
        c = GPT2Config(vocab_size=vocab, n_positions=positions, n_embd=width, n_layer=layers, n_head=heads,
                       n_inner=rng.choice([None, rng.randint(20, 90)]), tie_word_embeddings=rng.random() < 0.7,
                       bos_token_id=0, eos_token_id=0, layer_norm_epsilon=rng.choice([1e-5, 1e-6]))
        return GPT2LMHeadModel(c), kind
    common = dict(vocab_size=vocab, hidden_size=width, intermediate_size=rng.randint(20, 90), num_hidden_layers=layers,
                  num_attention_heads=heads, num_key_value_heads=rng.choice([h for h in range(1, heads + 1) if heads % h == 0]),
                  max_position_embeddings=positions, tie_word_embeddings=rng.random() < 0.4,
                  rope_theta=rng.choice([10000.0, 500000.0, 1e6]), rms_norm_eps=rng.choice([1e-5, 1e-6]),
                  bos_token_id=0, eos_token_id=0, pad_token_id=None)
    if kind == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(**common)), kind
    if kind == "mistral":
        return MistralForCausalLM(MistralConfig(**common, sliding_window=None)), kind
    scaling = rng.choice([None, {"rope_type": "linear", "factor": 4.0},
                          {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                           "original_max_position_embeddings": 32}])
    return LlamaForCausalLM(LlamaConfig(**common, rope_scaling=scaling, head_dim=rng.choice([8, 12, 20, 32]))), kind


def export(model, folder):
    with open(os.devnull, "w") as null:
        stderr, sys.stderr = sys.stderr, null
        try:
            onnx_export_from_model(model, folder, task="text-generation-with-past", do_validation=False)
        finally:
            sys.stderr = stderr
    return folder / "model.onnx"


def without_past(path):
    """The same graph behind an empty cache, which it makes itself: the other of the two that are merged."""
    m = onnx.load(path)
    pasts = [i for i in m.graph.input if i.name.startswith("past_key_values.")]
    nodes = [onnx.helper.make_node("Shape", ["input_ids"], ["ids_shape"], start=0, end=1)]
    for i in pasts:
        heads, size = i.type.tensor_type.shape.dim[1].dim_value, i.type.tensor_type.shape.dim[3].dim_value
        nodes += [onnx.helper.make_node("Constant", [], [i.name + "_sizes"], value_ints=[heads, 0, size]),
                  onnx.helper.make_node("Concat", ["ids_shape", i.name + "_sizes"], [i.name + "_shape"], axis=0),
                  onnx.helper.make_node("ConstantOfShape", [i.name + "_shape"], ["empty_" + i.name])]
        m.graph.input.remove(i)
    for n in m.graph.node:
        for j, name in enumerate(n.input):
            if name.startswith("past_key_values."):
                n.input[j] = "empty_" + name
    for n in reversed(nodes):
        m.graph.node.insert(0, n)
    return m


def variant(how, model, path, folder):
    """The exported file, changed. Returns what is given to Lathe, and how far logits may be."""
    if how == "optimized":
        c = model.config
        out = folder / "optimized.onnx"
        optimizer.optimize_model(str(path), model_type="gpt2", num_heads=c.num_attention_heads, hidden_size=c.hidden_size,
                                 opt_level=1, use_gpu=False).save_model_to_file(str(out))
        return out, LIMIT
    if how == "float16":
        m = optimizer.optimize_model(str(path), model_type="gpt2", num_heads=0, hidden_size=0, opt_level=0)
        m.convert_float_to_float16(keep_io_types=False)
        out = folder / "float16.onnx"
        m.save_model_to_file(str(out))
        return out, 2e-2
    if how == "merged":
        out = folder / "merged.onnx"
        merge_decoders(without_past(path), onnx.load(path), save_path=str(out), strict=False)
        return out, LIMIT
    if how == "no config":
        (folder / "config.json").unlink()
    return path, LIMIT


def compare(i, how, given, reference, model, limit, folder):
    worst = 0.0
    rng = np.random.default_rng(i)
    head_dim = getattr(model.config, "head_dim", None) or model.config.hidden_size // model.config.num_attention_heads
    for dialect in ["fused", "portable"] if head_dim % 8 == 0 else ["portable"]:  # as GroupQueryAttention takes them
        out = folder / dialect
        lathe("emit", *([] if dialect == "fused" else ["+portable"]), "--weights", given, "-o", out, "--no-run")
        ours = Graph(out / "model.onnx")
        ids = rng.integers(0, model.config.vocab_size, (2, 7))
        reference.reset()
        worst = max(worst, difference(ours.feed(ids), reference.feed(ids)))
        for _ in range(8):
            ids = rng.integers(0, model.config.vocab_size, (2, 1))
            worst = max(worst, difference(ours.feed(ids), reference.feed(ids)))
        if dialect == "portable":  # with padding on the left
            ids, mask = rng.integers(0, model.config.vocab_size, (2, 9)), np.ones((2, 9), np.int64)
            mask[1, :3] = 0
            ours.reset(), reference.reset()
            worst = max(worst, difference(ours.feed(ids, mask)[mask == 1], reference.feed(ids, mask)[mask == 1]))
    if not worst <= limit:
        raise SystemExit(f"model {i}, {how}: logits {worst:.2g} apart")
    return worst


def weights(i, how, given, model, folder):
    """All weights, to the bit, or to float16's."""
    out = folder / "safetensors"
    lathe("emit", "--weights", given, "--format", "safetensors", "-o", out)
    got, want = load_file(str(out / "model.safetensors")), model.state_dict()
    for name, x in got.items():
        y = want[name]
        if how == "float16":  # onnxruntime's tool makes what is below 2^-24 that
            same = torch.allclose(x, y.half().float(), rtol=0, atol=2**-23)
        else:
            same = torch.equal(x, y)
        if not same:
            raise SystemExit(f"model {i}, {how}: {name} differs")
    return len(got)


REFUSED = {
    "GELU by erf": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=1, n_head=2, activation_function="gelu")),
    "ReLU": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=1, n_head=2, activation_function="relu")),
    "scaled by the root of head_dim": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=2, n_head=2,
                                                                          scale_attn_by_inverse_layer_idx=True, attn_implementation="eager")),
    "it has a bias in the output of attention": lambda: LlamaForCausalLM(LlamaConfig(vocab_size=50, hidden_size=16, intermediate_size=32,
                                                                num_hidden_layers=1, num_attention_heads=2, attention_bias=True)),
    "reaches over 40 positions": lambda: MistralForCausalLM(MistralConfig(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
                                                           num_attention_heads=2, num_key_value_heads=2, sliding_window=40)),
    "causal attention": lambda: MistralForCausalLM(MistralConfig(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
                                                           num_attention_heads=2, num_key_value_heads=2, sliding_window=4)),
}


def main():
    rng = random.Random(5)
    hows = ["as exported", "no config", "optimized", "as exported", "merged", "float16"]
    for i in range(int(sys.argv[1]) if len(sys.argv) > 1 else 36):
        torch.manual_seed(i)
        model, kind = draw(i, rng)
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(torch.randn_like(p) * (0.3 if p.dim() == 1 else 0.15) + (1 if p.dim() == 1 and name.endswith("weight") else 0))
        model.tie_weights()
        model.eval()
        how = hows[(i + i // 6) % len(hows)]
        with tempfile.TemporaryDirectory() as tmp:
            folder = pathlib.Path(tmp)
            path = export(model, folder)
            given, limit = variant(how, model, path, folder)
            n = weights(i, how, given, model, folder)
            worst = compare(i, how, given, Graph(path), model, limit, folder)
        print(f"model {i}: {kind}, {how}: {n} weights the same, logits {worst:.1e} apart")
    for what, make in REFUSED.items():
        with tempfile.TemporaryDirectory() as tmp:
            path = export(make().eval(), pathlib.Path(tmp))
            done = subprocess.run([LATHE, "emit", "--weights", path, "-o", tmp + "/out"], capture_output=True, text=True)
            if done.returncode == 0 or what not in done.stderr:
                raise SystemExit(f"{what}: exit {done.returncode}: {done.stderr}")
            print(f"refused: {done.stderr.strip().splitlines()[-1][-160:]}")


main()
