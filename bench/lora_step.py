"""PyTorch + PEFT's side of bench/lora-step.ts: one LoRA training step for each line on stdin, milliseconds and loss on stdout.

    python bench/lora_step.py MODEL_FOLDER THREADS BATCH SEQ RANK
"""
import json
import sys
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

folder, threads, batch, seq, rank = sys.argv[1], *map(int, sys.argv[2:6])
torch.set_num_threads(threads)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
model = get_peft_model(model, config)
model.train()
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    ids = torch.tensor(json.loads(line))
    start = time.perf_counter()
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(json.dumps({"ms": (time.perf_counter() - start) * 1000, "loss": loss.item()}), flush=True)
