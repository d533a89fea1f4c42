"""Checks emitted graphs with tools that Lathe did not write.

usage: check_corpus.py FOLDER     (needs onnx, onnxruntime, numpy)

Every file made of standard operators must pass onnx.checker with full, strict
shape inference; ONNX Runtime must load every file; and on some files ONNX
Runtime's logits, and those of onnx's own reference evaluator, must equal a
plain numpy GPT-2's.
"""
import glob
import math
import os
import sys

import numpy as np
import onnx
import onnx.numpy_helper as nh
import onnxruntime as ort
from onnx.reference import ReferenceEvaluator


def norm(x, w, name):
    mean = x.mean(-1, keepdims=True)
    var = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5) * w[name + ".weight"] + w[name + ".bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gpt2(w, ids, heads):
    """Logits of one sequence, in double precision. heads: one number a layer."""
    w = {k: v.astype(np.float64) for k, v in w.items()}
    n = len(ids)
    x = w["transformer.wte.weight"][ids] + w["transformer.wpe.weight"][:n]
    for i, h in enumerate(heads):
        p = f"transformer.h.{i}."
        qkv = norm(x, w, p + "ln_1") @ w[p + "attn.c_attn.weight"] + w[p + "attn.c_attn.bias"]
        q, k, v = (z.reshape(n, h, -1).swapaxes(0, 1) for z in np.split(qkv, 3, axis=-1))
        s = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
        s = np.where(np.tril(np.ones((n, n), bool)), s, -np.inf)
        s = np.exp(s - s.max(-1, keepdims=True))
        a = (s / s.sum(-1, keepdims=True)) @ v
        a = a.swapaxes(0, 1).reshape(n, -1)
        x = x + a @ w[p + "attn.c_proj.weight"] + w[p + "attn.c_proj.bias"]
        u = gelu(norm(x, w, p + "ln_2") @ w[p + "mlp.c_fc.weight"] + w[p + "mlp.c_fc.bias"])
        x = x + u @ w[p + "mlp.c_proj.weight"] + w[p + "mlp.c_proj.bias"]
    x = norm(x, w, "transformer.ln_f")
    return x @ w.get("lm_head.weight", w["transformer.wte.weight"]).T


def feeds(model, ids):
    out = {}
    for v in model.graph.input:
        shape = [d.dim_value for d in v.type.tensor_type.shape.dim]
        if v.name == "input_ids":
            out[v.name] = ids[None]
        elif v.name == "attention_mask":
            out[v.name] = np.ones((1, len(ids)), np.int64)
        elif v.name == "position_ids":
            out[v.name] = np.arange(len(ids))[None]
        elif v.name.startswith("past_key_values."):
            out[v.name] = np.zeros((1, shape[1], 0, shape[3]), np.float32)
    return out


def main(folder):
    files = sorted(glob.glob(os.path.join(folder, "*.onnx")))
    if not files:
        sys.exit(f"no .onnx files in {folder}")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    checked = compared = referenced = 0
    rng = np.random.default_rng(0)
    heads = {}
    for path in files:
        name = os.path.basename(path)
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        small = onnx.load(path, load_external_data=False)
        if all(n.domain in ("", "ai.onnx") for n in small.graph.node):
            onnx.checker.check_model(path, full_check=True)
            onnx.shape_inference.infer_shapes_path(path, "/dev/null", check_type=True, strict_mode=True, data_prop=True)
            checked += 1
        if "-cached" in name:
            heads[name[:3]] = [v.type.tensor_type.shape.dim[1].dim_value for v in small.graph.input if v.name.endswith(".key")]
        if "-fp32-cached" not in name or int(name[:3]) % 4:
            continue
        model = onnx.load(path)
        weights = {t.name: nh.to_array(t) for t in model.graph.initializer if t.name.startswith(("transformer.", "lm_head."))}
        ids = rng.integers(0, weights["transformer.wte.weight"].shape[0], 12)
        want = gpt2(weights, ids, heads[name[:3]])
        got = session.run(["logits"], feeds(small, ids))[0][0]
        worst = np.abs(got - want).max()
        if not worst < 1e-4:
            sys.exit(f"{name}: logits differ from numpy's by {worst:g}")
        compared += 1
        if "portable" in name and int(name[:3]) % 20 == 0:
            got = ReferenceEvaluator(model).run(["logits"], {**feeds(small, ids), "num_logits_to_keep": np.array(0)})[0][0]
            worst = np.abs(got - want).max()
            if not worst < 1e-4:
                sys.exit(f"{name}: the reference evaluator's logits differ from numpy's by {worst:g}")
            referenced += 1
    print(f"{len(files)} files loaded by onnxruntime {ort.__version__}, {checked} accepted by onnx {onnx.__version__} with full shape inference,")
    print(f"{compared} with logits equal to numpy's within 1e-4, {referenced} of them also by onnx's reference evaluator")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
