"""32 greedy tokens of a GGUF file as transformers loads and computes it in float32: a file for scripts/gguf-greedy.ts.

usage: gguf_greedy.py FILE.gguf OUT.json
"""
import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

PROMPTS = ["The capital of France is", "Water boils at", "def fibonacci(n):"]

path, out = Path(sys.argv[1]), Path(sys.argv[2])
tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
results = []
for prompt in PROMPTS:
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    tokens = model.generate(ids, max_new_tokens=32, do_sample=False)[0].tolist()
    results.append({"prompt": prompt, "ids": ids[0].tolist(), "tokens": tokens[ids.shape[1]:]})
out.write_text(json.dumps(results))
