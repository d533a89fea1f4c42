"""Checks emitted graphs with tools that Lathe did not write.

usage: check_corpus.py FOLDER     (needs onnx, onnxruntime, numpy)

Every file made of standard operators must pass onnx.checker with full, strict
shape inference; ONNX Runtime must load every file; and on some files ONNX
Runtime's logits, and those of onnx's own reference evaluator, must equal those of
a GPT-2 or a LLaMA in plain numpy. Those of float16 must be near; and since ONNX
Runtime's CPU provider computes most of them in float32, the reference evaluator,
which rounds every value, also runs them with weights whose activations' squares and
products are beyond float16. Products of dynamic int8 must not saturate. Beside the
files lies each spec as JSON.
"""
import collections
import concurrent.futures
import glob
import json
import math
import multiprocessing
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
        a = attend(*(z.reshape(n, h, -1).swapaxes(0, 1) for z in np.split(qkv, 3, axis=-1)))
        x = x + a @ w[p + "attn.c_proj.weight"] + w[p + "attn.c_proj.bias"]
        u = gelu(norm(x, w, p + "ln_2") @ w[p + "mlp.c_fc.weight"] + w[p + "mlp.c_fc.bias"])
        x = x + u @ w[p + "mlp.c_proj.weight"] + w[p + "mlp.c_proj.bias"]
    x = norm(x, w, "transformer.ln_f")
    return x @ w.get("lm_head.weight", w["transformer.wte.weight"]).T


def rms(x, w, name, eps):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * w[name + ".weight"]


def inverse_frequencies(spec, head_dim):
    f = spec.get("rope_base", 10000.0) ** -(np.arange(0, head_dim, 2) / head_dim)
    scaling = spec.get("rope_scaling")
    if scaling is None:
        return f
    if scaling["type"] == "linear":
        return f / scaling["factor"]
    low, high, old = scaling["low_freq_factor"], scaling["high_freq_factor"], scaling["original_positions"]
    length = 2 * np.pi / f
    smooth = (old / length - low) / (high - low)
    between = (1 - smooth) * f / scaling["factor"] + smooth * f
    return np.where(length < old / high, f, np.where(length > old / low, f / scaling["factor"], between))


def rotate(x, spec):
    """Turns x [heads, tokens, head_dim]; j and j + head_dim/2 are a pair."""
    angle = np.outer(np.arange(x.shape[1]), inverse_frequencies(spec, x.shape[2]))
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], axis=-1)


def attend(q, k, v):
    """Causal attention; q [heads, tokens, head_dim], k and v perhaps of fewer heads."""
    n = q.shape[1]
    k, v = (np.repeat(z, q.shape[0] // z.shape[0], axis=0) for z in (k, v))
    s = q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])
    s = np.where(np.tril(np.ones((n, n), bool)), s, -np.inf)
    s = np.exp(s - s.max(-1, keepdims=True))
    a = (s / s.sum(-1, keepdims=True)) @ v
    return a.swapaxes(0, 1).reshape(n, -1)


def llama(w, spec, ids):
    """Logits of one sequence, in double precision. Weights as the graph has them:
    [in, out] with standard operators, [out, in] with fused ones."""
    w = {k: v.astype(np.float64) for k, v in w.items()}
    n, eps, d = len(ids), spec.get("norm_eps", 1e-5), spec["d_model"]
    layers = spec.get("layers") or [spec] * spec["n_layer"]
    turned = spec["turned"]

    def linear(x, name, out):
        m = w[name + ".weight"]
        y = x @ (m if turned else m.T)
        assert y.shape[-1] == out, name
        return y + w.get(name + ".bias", 0)

    x = w["model.embed_tokens.weight"][ids]
    for i, l in enumerate(layers):
        p = f"model.layers.{i}."
        heads, kv = l["n_head"], l.get("n_kv_head") or l["n_head"]
        hd = spec.get("head_dim") or d // heads
        qkv = linear(rms(x, w, p + "input_layernorm", eps), p + "self_attn.qkv_proj", (heads + 2 * kv) * hd)
        q, k, v = (z.reshape(n, -1, hd).swapaxes(0, 1) for z in np.split(qkv, [heads * hd, (heads + kv) * hd], axis=-1))
        x = x + linear(attend(rotate(q, spec), rotate(k, spec), v), p + "self_attn.o_proj", d)
        u = rms(x, w, p + "post_attention_layernorm", eps)
        gate, up = (linear(u, p + f"mlp.{m}_proj", l["d_inner"]) for m in ("gate", "up"))
        x = x + linear(gate / (1 + np.exp(-gate)) * up, p + "mlp.down_proj", d)
    x = rms(x, w, "model.norm", eps)
    return x @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T


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
            dtype = onnx.helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type)
            out[v.name] = np.zeros((1, shape[1], 0, shape[3]), dtype)
    return out


def loud(model):
    """Multiplies a LLaMA's embeddings, and what queries and keys come from. The
    evaluator's LayerNormalization squares in float16, whatever its stash_type."""
    for t in model.graph.initializer:
        w = nh.to_array(t)
        if "embed_tokens" in t.name:
            w = w * np.float16(2**14)
        elif any(part in t.name for part in ("qkv_proj.weight", "c_attn.weight")):
            w = w * np.float16(2**8)
        t.CopyFrom(nh.from_array(w, t.name))


def parameters(model):
    return {t.name: nh.to_array(t) for t in model.graph.initializer if t.name.startswith(("transformer.", "model.", "lm_head."))}


def definition(weights, spec, ids):
    if spec["family"] == "llama":
        return llama(weights, spec, ids)
    return gpt2(weights, ids, [l["n_head"] for l in spec.get("layers") or [spec] * spec["n_layer"]])


def reference(model, small, ids):
    return ReferenceEvaluator(model).run(["logits"], {**feeds(small, ids), "num_logits_to_keep": np.array(0)})[0][0]


def saturates(path):
    """A weight of dynamic int8 with two neighbours whose products with uint8 may exceed 16 bits."""
    model = onnx.load(path)
    tensors = {t.name: t for t in model.graph.initializer}
    for n in model.graph.node:
        if n.op_type == "DynamicQuantizeMatMul":
            codes = nh.to_array(tensors[n.input[1]]).astype(np.int32)
            sums = codes[: len(codes) // 2 * 2].reshape(-1, 2, codes.shape[1]).sum(1)
            if codes.min() < -127 or 255 * np.abs(sums).max() > 32767:
                return n.input[1]


class Wrong(Exception):
    """What a file is not."""


def check(path):
    """Checks one file, and returns what was done with it."""
    folder, name = os.path.split(path)
    number = int(name[:3])
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    done = collections.Counter(loaded=1)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    small = onnx.load(path, load_external_data=False)
    if all(n.domain in ("", "ai.onnx") for n in small.graph.node):
        onnx.checker.check_model(path, full_check=True)
        onnx.shape_inference.infer_shapes_path(path, "/dev/null", check_type=True, strict_mode=True, data_prop=True)
        done["checked"] += 1
    if any(n.op_type == "DynamicQuantizeMatMul" for n in small.graph.node):
        if weight := saturates(path):
            raise Wrong(f"{name}: products of {weight} saturate on processors without VNNI")
        done["dynamic"] += 1
    kind = name.removesuffix(".onnx").split("-")[2:]
    half = kind == ["fp16", "cached"]
    if not half and kind != ["fp32", "cached"] or number % 4:
        return done
    with open(os.path.join(folder, name[:3] + ".json")) as f:
        spec = json.load(f)
    if spec["family"] not in ("gpt2", "llama"):
        return done
    model = onnx.load(path)
    ids = np.random.default_rng(number).integers(0, spec["vocab"], 12)
    spec["turned"] = "portable" in name
    want = definition(parameters(model), spec, ids)
    got = session.run(["logits"], feeds(small, ids))[0][0]
    evaluated = "portable" in name and number % 20 == 0
    if half:
        near(name, "float16 logits", got, want, 4 / 2048)
        if evaluated:
            near(name, "the reference evaluator's float16 logits", reference(model, small, ids), want, 4 / 2048)
            loud(model)
            want = definition(parameters(model), spec, ids)
            near_by_token(name, "the reference evaluator's float16 logits of loud weights", reference(model, small, ids), want, 0.1)
        done["halves"] += 1
        return done
    equal(name, "logits", got, want)
    done["compared"] += 1
    if evaluated:
        equal(name, "the reference evaluator's logits", reference(model, small, ids), want)
        done["referenced"] += 1
    return done


def near(name, what, got, want, bound):
    off = np.linalg.norm(got.astype(np.float64) - want) / np.linalg.norm(want)
    if not off < bound:
        raise Wrong(f"{name}: {what} differ from numpy's by {off:g} of them")


def near_by_token(name, what, got, want, bound):
    """Loud weights make an attention choose one token, and where two are nearly alike
    rounding decides which: so half of the tokens have to be near, and all finite."""
    off = np.linalg.norm(got.astype(np.float64) - want, axis=1) / np.linalg.norm(want, axis=1)
    if not np.isfinite(off).all() or not np.median(off) < bound:
        raise Wrong(f"{name}: {what} differ from numpy's, by token, by {off} of them")


def equal(name, what, got, want):
    worst = np.abs(got - want).max()
    if not worst < 1e-4:
        raise Wrong(f"{name}: {what} differ from numpy's by {worst:g}")


def main(folder):
    files = sorted(glob.glob(os.path.join(folder, "*.onnx")))
    if not files:
        sys.exit(f"no .onnx files in {folder}")
    done = collections.Counter()
    with concurrent.futures.ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            for of_file in pool.map(check, files, chunksize=16):
                done += of_file
        except Wrong as wrong:
            pool.shutdown(cancel_futures=True)
            sys.exit(str(wrong))
    if not done["compared"] or not done["halves"] or not done["dynamic"]:
        sys.exit(f"of the files there are {dict(done)}: their names are not as they were")
    print(f"{done['loaded']} files loaded by onnxruntime {ort.__version__}, {done['checked']} accepted by onnx {onnx.__version__} with full shape inference,")
    print(f"{done['compared']} with logits equal to numpy's within 1e-4, {done['referenced']} of them also by onnx's reference evaluator,")
    print(f"{done['halves']} of float16 near numpy's, {done['dynamic']} of dynamic int8 whose products do not saturate")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
