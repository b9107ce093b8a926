"""PyTorch + PEFT's side of bench/methods-step.ts: one training step for each line on stdin, milliseconds and loss on stdout.

    python bench/methods_step.py MODEL_FOLDER THREADS PEFT_SECTION
"""
import json
import sys
import time

import torch
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, get_peft_model
from transformers import AutoModelForCausalLM

folder, threads, peft = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
torch.set_num_threads(threads)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
kind = peft.pop("peft_type")
model = get_peft_model(model, PEFT_TYPE_TO_CONFIG_MAPPING[kind](task_type="CAUSAL_LM", **peft))
model.train()
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
print(json.dumps({"ready": True}), flush=True)
for step, line in enumerate(sys.stdin, 1):
    ids = torch.tensor(json.loads(line))
    start = time.perf_counter()
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    optimizer.step()
    if kind == "ADALORA":
        model.base_model.update_and_allocate(step)
    optimizer.zero_grad()
    print(json.dumps({"ms": (time.perf_counter() - start) * 1000, "loss": loss.item()}), flush=True)
