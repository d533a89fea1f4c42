"""Folders of transformers, both ways, against transformers itself.

Out: Lathe writes random weights as a folder and as graphs in both dialects; the
class for language models opens the folder without a tensor missing or left over,
and its logits are those of the graphs. In: a model that transformers made and saved,
in one file and in shards, becomes graphs with its logits, and written as a folder
again keeps every tensor to the bit. Logits are those of a prefill and of 16 tokens
with the cache, and of a padded batch: on the left in the portable dialect, on the
right in the fused one. Needs torch, transformers, onnxruntime. Usage: folders.py [SEED]
"""
import pathlib
import random
import sys
import tempfile

import numpy as np
import onnxruntime
import torch
import transformers
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config

from lathe import Graph, architectures, difference, lathe

TOLERANCE = 2e-4  # of the largest logit
DECODES = 16


def config(a):
    """The architecture as transformers configures it."""
    if a.kind == "gpt2":
        return GPT2Config(vocab_size=a.vocab, n_positions=a.positions, n_embd=a.d, n_layer=a.layers, n_head=a.heads, n_inner=a.inner,
                          layer_norm_epsilon=a.eps, tie_word_embeddings=a.tied, bos_token_id=0, eos_token_id=0)
    common = dict(vocab_size=a.vocab, max_position_embeddings=a.positions, hidden_size=a.d, num_hidden_layers=a.layers,
                  num_attention_heads=a.heads, num_key_value_heads=a.kv, intermediate_size=a.inner, rms_norm_eps=a.eps,
                  tie_word_embeddings=a.tied, rope_theta=a.base, rope_scaling=a.scaling(), bos_token_id=0, eos_token_id=0)
    if a.kind == "llama":
        return LlamaConfig(head_dim=a.head_dim, **common)
    if a.kind == "mistral":
        return MistralConfig(head_dim=a.head_dim, sliding_window=None, **common)
    return Qwen2Config(use_sliding_window=False, **common)


def made(a, seed):
    """A model of transformers, no weight of which is what it starts as: biases and
    norms have values too."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config(a), attn_implementation="eager").eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * (0.15 if p.dim() > 1 else 0.3))
    return model


@torch.no_grad()
def compare(model, graph, rng, padding):
    """The largest difference of logits, over sequences, padded batches and steps."""
    vocab, worst = model.config.vocab_size, 0.0
    n = rng.randint(1, model.config.max_position_embeddings - DECODES)
    draw = lambda rows, n: np.array([[rng.randrange(vocab) for _ in range(n)] for _ in range(rows)])
    # One sequence and its continuation, each with its own cache; then the whole at once.
    ids = draw(1, n + DECODES)
    graph.reset()
    got = [graph.feed(ids[:, :n])] + [graph.feed(ids[:, n + i:n + i + 1]) for i in range(DECODES)]
    out = model(torch.tensor(ids[:, :n]), use_cache=True)
    want = [out.logits.numpy()]
    for i in range(DECODES):
        out = model(torch.tensor(ids[:, n + i:n + i + 1]), past_key_values=out.past_key_values, use_cache=True)
        want.append(out.logits.numpy())
    worst = max(difference(g, w) for g, w in zip(got, want))
    graph.reset()
    worst = max(worst, difference(graph.feed(ids), np.concatenate(want, axis=1)))
    # A batch of sequences of other lengths, each beside what it gives alone.
    lengths = [rng.randint(1, n) for _ in range(3)]
    longest = max(lengths)
    ids, mask = draw(3, longest), np.zeros((3, longest), np.int64)
    for row, length in enumerate(lengths):
        mask[row, -length:] = padding == "left" or mask[row, -length:]
        mask[row, :length] = padding == "right" or mask[row, :length]
    graph.reset()
    got = graph.feed(ids, mask)
    for row in range(3):
        there = mask[row] == 1
        worst = max(worst, difference(got[row, there], model(torch.tensor(ids[row, there][None])).logits[0].numpy()))
    if padding == "left":  # and the batch goes on
        more = draw(3, 5)
        got = np.concatenate([graph.feed(more[:, i:i + 1]) for i in range(5)], axis=1)
        for row in range(3):
            whole = np.concatenate([ids[row, mask[row] == 1], more[row]])
            worst = max(worst, difference(got[row], model(torch.tensor(whole[None])).logits[0, -5:].numpy()))
    return worst


def differences(a, model, source, rng, dir):
    """By dialect, the largest difference to a model of Lathe's graph of it, which is
    emitted with what source says."""
    found = {}
    for dialect in a.dialects():
        lathe("emit", *source(dialect), "-o", dir / dialect)
        found[dialect] = compare(model, Graph(dir / dialect / "model.onnx"), rng, "left" if dialect == "portable" else "right")
    return found


def out_of_lathe(a, seed, rng, dir):
    dir.mkdir()
    spec = {}
    for dialect in a.dialects():
        spec[dialect] = dir / f"{dialect}.yaml"
        spec[dialect].write_text(a.yaml(dialect))
    lathe("emit", spec["portable"], "--seed", seed, "--format", "safetensors", "-o", dir / "folder")
    model, loaded = AutoModelForCausalLM.from_pretrained(dir / "folder", attn_implementation="eager", output_loading_info=True)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        assert not loaded[what], f"{a}: {what} {loaded[what]}"
    found = differences(a, model.eval(), lambda dialect: [spec[dialect], "--seed", seed], rng, dir)
    lathe("emit", "--weights", dir / "folder", "--format", "safetensors", "-o", dir / "again")
    same_tensors(dir / "folder" / "model.safetensors", dir / "again" / "model.safetensors")
    return found


def into_lathe(a, seed, rng, dir, shards):
    dir.mkdir()
    model = made(a, seed)
    model.save_pretrained(dir / "folder", max_shard_size="8KB" if shards else "5GB")
    files = sorted((dir / "folder").glob("*.safetensors"))
    assert (len(files) > 1) == shards, f"{a}: {len(files)} files"
    part = {"portable": "+portable", "fused": "+fp32"}
    found = differences(a, model, lambda dialect: [part[dialect], "--weights", dir / "folder"], rng, dir)
    lathe("emit", "--weights", dir / "folder", "--format", "safetensors", "-o", dir / "again")
    same_tensors(*files, dir / "again" / "model.safetensors")
    again = AutoModelForCausalLM.from_pretrained(dir / "again").state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(value, again[name]), f"{a}: {name} is not what it was"
    return found, len(files)


def same_tensors(*files):
    """The last file has the tensors of the others, to the bit."""
    want = {k: v for f in files[:-1] for k, v in load_file(f).items()}
    got = load_file(files[-1])
    assert want.keys() == got.keys(), want.keys() ^ got.keys()
    for name, value in want.items():
        assert value.dtype == got[name].dtype and value.tobytes() == got[name].tobytes(), f"{name} differs"


def main():
    transformers.utils.logging.disable_progress_bar()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, onnxruntime {onnxruntime.__version__}")
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    rng = random.Random(seed)
    worst = 0.0
    with tempfile.TemporaryDirectory() as work:
        for i, a in enumerate(architectures(rng)):
            to = out_of_lathe(a, seed + i, rng, pathlib.Path(work) / f"out{i}")
            back, files = into_lathe(a, seed + i, rng, pathlib.Path(work) / f"in{i}", shards=i % 2 == 0)
            figures = [f"{way} {d} {v:.1e}" for way, found in (("out", to), ("in", back)) for d, v in found.items()]
            print(f"{a}: {', '.join(figures)}; {files} file{'s' if files > 1 else ''}", flush=True)
            worst = max(worst, *to.values(), *back.values())
    print(f"the largest difference is {worst:.1e} of the largest logit")
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
