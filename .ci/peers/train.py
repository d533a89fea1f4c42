#!/usr/bin/env python3
"""PyTorch, to hold Lathe's training steps against. Needs torch, transformers and, for the
third of the speeds, gcc; by hand, no test.

    train.py agree FOLDER
        Repeats trainings that this wrote, of a GPT-2 and a LLaMA, in transformers:
            go test ./finetune -run TestWritePeer -peer FOLDER
        the same weights, batches and rates, AdamW, 50 steps of two batches each.

    train.py speed LATHE [SIZE [THREADS [ROUNDS]]]
        Steps of size a (d 256, 4 layers, 8 rows of 128, vocabulary 8192) or b (d 512, 6
        layers, 4 rows of 256, vocabulary 50257), a few of each in turn, in processes of
        their own: Lathe's (go test -c ./finetune makes LATHE), PyTorch as it is
        installed, and PyTorch with MKL told that the processor is Intel's, without which
        it leaves AVX-512 unused on others. Prints the median of the rounds' ratios, and
        every process's peak memory.
"""

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

SIZES = {"a": (256, 1024, 4, 4, 128, 8, 8192), "b": (512, 2048, 6, 8, 256, 4, 50257)}


def groups(named, decay):
    named = list(named)
    return [
        {"params": [p for _, p in named if p.dim() > 1], "weight_decay": decay},
        {"params": [p for _, p in named if p.dim() < 2], "weight_decay": 0.0},
    ]


def agree(folder):
    import numpy as np
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    failed = False
    for name in sorted(os.listdir(folder)):
        at = os.path.join(folder, name)
        log = json.load(open(os.path.join(at, "log.json")))
        o, shape = log["Optimizer"], (log["Micro"], 2, log["Batch"], log["Sequence"])
        batches = np.fromfile(os.path.join(at, "batches.bin"), "<i8").reshape(-1, *shape)
        # In evaluation, so that nothing is dropped.
        model = AutoModelForCausalLM.from_pretrained(os.path.join(at, "start"), attn_implementation="eager").eval()
        opt = torch.optim.AdamW(groups(model.named_parameters(), o["WeightDecay"]), betas=(o["Beta1"], o["Beta2"]), eps=o["Epsilon"])
        loss_off = norm_off = 0.0
        for step, batch in enumerate(torch.from_numpy(batches)):
            for g in opt.param_groups:
                g["lr"] = log["Rates"][step]
            count = (batch[:, 1] != -100).sum()
            total = 0.0
            for ids, labels in batch:
                logits = model(input_ids=ids).logits
                loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / count
                loss.backward()
                total += loss.item()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), o["ClipNorm"]).item()
            opt.step()
            opt.zero_grad()
            loss_off = max(loss_off, abs(total - log["Losses"][step]))
            norm_off = max(norm_off, abs(norm - log["Norms"][step]) / norm)
        ours, start = load_file(os.path.join(at, "end", "model.safetensors")), load_file(os.path.join(at, "start", "model.safetensors"))
        theirs = model.state_dict()
        off, moved, worst, where = 0.0, 0.0, 0.0, ""
        for key, w in ours.items():
            d = (w.double() - theirs[key].double()).norm().item()
            off, moved = off + d * d, moved + (theirs[key].double() - start[key].double()).norm().item() ** 2
            if d / theirs[key].double().norm().item() > worst:
                worst, where = d / theirs[key].double().norm().item(), key
        print(
            f"{name}: loss {log['Losses'][0]:.4f} to {log['Losses'][-1]:.4f}, at most {loss_off:.1e} apart; norms {norm_off:.1e}; "
            f"weights at most {worst:.1e} of a tensor's norm apart ({where}), {math.sqrt(off / moved):.1e} of the way they went"
        )
        failed |= loss_off > 1e-4 or worst > 1e-3
    sys.exit(1 if failed else 0)


def worker(size, threads):
    """Steps of a GPT-2 as one would write it for speed: fused attention and optimizer."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    d, f, layers, heads, seq, rows, vocab = SIZES[size]

    def p(*shape):
        return torch.nn.Parameter(torch.randn(*shape) * 0.02 if len(shape) > 1 else torch.zeros(*shape))

    def gain():
        return torch.nn.Parameter(torch.ones(d))

    wte, wpe, last = p(vocab, d), p(seq, d), (gain(), p(d))
    blocks = [
        dict(g1=gain(), b1=p(d), wa=p(d, 3 * d), ba=p(3 * d), wo=p(d, d), bo=p(d), g2=gain(), b2=p(d), wf=p(d, f), bf=p(f), wp=p(f, d), bp=p(d))
        for _ in range(layers)
    ]
    params = [wte, wpe, *last, *(v for b in blocks for v in b.values())]
    opt = torch.optim.AdamW(groups(((None, v) for v in params), 0.1), lr=1e-4, betas=(0.9, 0.95), eps=1e-8, fused=True)
    ids, labels = (torch.randint(vocab, (rows, seq)) for _ in range(2))

    def step():
        h = (wte[ids] + wpe).view(-1, d)
        for b in blocks:
            x = F.layer_norm(h, (d,), b["g1"], b["b1"])
            q, k, v = (t.view(rows, seq, heads, d // heads).transpose(1, 2) for t in torch.addmm(b["ba"], x, b["wa"]).split(d, 1))
            a = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(-1, d)
            h = h + torch.addmm(b["bo"], a, b["wo"])
            x = F.layer_norm(h, (d,), b["g2"], b["b2"])
            h = h + torch.addmm(b["bp"], F.gelu(torch.addmm(b["bf"], x, b["wf"]), approximate="tanh"), b["wp"])
        loss = F.cross_entropy(F.layer_norm(h, (d,), *last) @ wte.t(), labels.view(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        return loss.item()

    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        print("seconds", time.perf_counter() - start, flush=True)
    print("MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def speed(lathe, size="a", threads="1", rounds="7"):
    tmp = tempfile.TemporaryDirectory()
    so = os.path.join(tmp.name, "intel.so")
    subprocess.run(["gcc", "-shared", "-fPIC", "-x", "c", "-o", so, "-"], input=b"int mkl_serv_intel_cpu_true(void) { return 1; }", check=True)
    torch = [sys.executable, os.path.abspath(__file__), "worker", size, threads]
    limits = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    kinds = {
        "Lathe": ([os.path.abspath(lathe), "-test.run", "TestServeSteps", "-test.timeout", "0", "-peer.size", size, "-threads", threads], {}),
        "PyTorch": (torch, limits),
        "PyTorch, AVX-512": (torch, {**limits, "LD_PRELOAD": so}),
    }
    procs = {k: subprocess.Popen(cmd, env={**os.environ, **env}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for k, (cmd, env) in kinds.items()}

    def said(k, what):
        for line in procs[k].stdout:
            if line.startswith(what + " "):
                return float(line.split()[1])
        sys.exit(f"{k} ended without its {what}")

    def steps(k, n):
        procs[k].stdin.write(f"{n}\n")
        procs[k].stdin.flush()
        return said(k, "seconds") / n

    n = 5 if size == "a" else 2
    for k in procs:
        steps(k, 2)  # warm-up
    took = {k: [] for k in procs}
    for i in range(int(rounds)):
        for k in list(procs) if i % 2 == 0 else list(procs)[::-1]:
            took[k].append(steps(k, n))
    peak = {}
    for k, p in procs.items():
        p.stdin.close()
        peak[k] = said(k, "MB")
    print(f"size {size}, {threads} threads, {rounds} rounds of {n} steps")
    for k in procs:
        ratios = sorted(a / b for a, b in zip(took["Lathe"], took[k]))
        print(
            f"{k:18} {statistics.median(took[k]):7.3f} s, {peak[k]:6.0f} MB; Lathe's step is {statistics.median(ratios):.2f} of it "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}), its memory {peak['Lathe'] / peak[k]:.2f}"
        )


if __name__ == "__main__":
    commands = {"agree": agree, "speed": speed, "worker": worker}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
