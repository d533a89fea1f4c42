"""Writes trained.json: hashes of what Hugging Face's tokenizers (pip) learns from the
shared data, for train_test.go. Run: python make_trained.py SHARED/data/small-lm"""
import hashlib
import json
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, trainers


def sha(lines):
    return hashlib.sha256("".join(s + "\n" for s in lines).encode()).hexdigest()


out = {}
for name, file, sep in [
    ("tinystories", "tinystories_sample.txt", "<|endoftext|>"),
    ("tinyshakespeare", "tinyshakespeare.txt", None),
]:
    text = open(f"{sys.argv[1]}/{file}", encoding="utf8", newline="").read()
    docs = [d.lstrip("\r\n").rstrip(" \t\r\n") for d in text.split(sep)] if sep else [text]
    tk = Tokenizer(models.BPE())
    tk.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tk.train_from_iterator(docs, trainers.BpeTrainer(
        vocab_size=4096, min_frequency=2, special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    model = json.loads(tk.to_str())["model"]
    ids = sorted(model["vocab"], key=model["vocab"].get)
    out[name] = {"vocab": sha(ids), "merges": sha(" ".join(m) for m in model["merges"])}
print(json.dumps(out, indent=2))
