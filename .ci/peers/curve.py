#!/usr/bin/env python3
"""PyTorch, to hold the curve of one of Lathe's trainings against: the same starting
weights, batches, learning rates and AdamW, in transformers' GPT-2. Needs torch and
transformers; by hand, no test. It takes about as long as the training did.

    curve.py FOLDER RUN [THREADS]
        RUN is the folder of `lathe train`, without dropout, and FOLDER what this makes of
        it:
            go test ./cmd/lathe -run TestWriteCurve -curve.of RUN -curve.to FOLDER
        Prints the loss on the development set and the perplexity of both, at the steps
        at which the training looked.
"""

import json
import math
import os
import sys
import time

import numpy as np
import torch
from transformers import AutoModelForCausalLM


def main(folder, run, threads=1):
    torch.set_num_threads(int(threads))
    plan = json.load(open(os.path.join(run, "run.json")))
    log = [json.loads(line) for line in open(os.path.join(run, "log.jsonl"))]
    rates = {e["step"]: e["lr"] for e in log if "lr" in e}
    dev = {e["step"]: e["dev_loss"] for e in log if "dev_loss" in e}

    def rows(name):
        return torch.from_numpy(np.fromfile(os.path.join(folder, name), "<u2").astype(np.int64)).view(-1, plan["sequence"] + 1)

    training, held = rows("train.bin"), rows("dev.bin")
    # In evaluation, so that nothing is dropped; its own attention kernels.
    model = AutoModelForCausalLM.from_pretrained(os.path.join(folder, "start")).eval()
    groups = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": plan["weight_decay"]},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    opt = torch.optim.AdamW(groups, betas=(0.9, 0.95), eps=1e-8)

    def loss(batch):
        logits = model(input_ids=batch[:, :-1]).logits
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())

    def look(step):
        with torch.no_grad():
            theirs = sum(loss(b).item() * len(b) for b in held.split(plan["rows"])) / len(held)
        ours = dev[step]
        print(
            f"{step:6d}  {theirs:8.4f} {ours:8.4f}   perplexity {math.exp(theirs):9.3f} {math.exp(ours):9.3f}  {100 * math.expm1(ours - theirs):+6.2f} %",
            flush=True,
        )

    began = time.perf_counter()
    print("  step   PyTorch    Lathe              PyTorch     Lathe")
    look(0)
    size, passes = plan["rows"], plan["passes"]
    for step in sorted(rates):
        for b in training[(step - 1) * size * passes : step * size * passes].split(size):
            (loss(b) / passes).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), plan["clip"])
        for g in opt.param_groups:
            g["lr"] = rates[step]
        opt.step()
        opt.zero_grad()
        if step in dev:
            look(step)
    print(f"{time.perf_counter() - began:.0f} s here, {max(e.get('seconds', 0) for e in log):.0f} s there")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
