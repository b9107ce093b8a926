"""Hidden states of an encoder's folder for pairs of texts, as transformers computes them: `hidden_states.py MODEL OUT.json`."""
import json
import sys

import torch
from transformers import AutoModel, AutoTokenizer

PAIRS = [["The cat sat on the mat.", "Felines rest on carpets."], ["Köln, 3rd of May: it's naïve!", "x"],
         ["What does a [MASK] of texts cost?", "Two lines\nand a much longer second text that leaves the first one padded, as batches do."]]

model_path, out = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(model_path)
model = AutoModel.from_pretrained(model_path, dtype=torch.float32).eval()
batch = tokenizer(PAIRS, padding=True, return_tensors="pt")
with torch.no_grad():
    result = model(**batch)
types = batch.get("token_type_ids", torch.zeros_like(batch["input_ids"]))
values = dict(pairs=PAIRS, ids=batch["input_ids"].tolist(), mask=batch["attention_mask"].tolist(), types=types.tolist(),
              hidden=result.last_hidden_state.flatten().tolist())
if getattr(result, "pooler_output", None) is not None:
    values["pooled"] = result.pooler_output.flatten().tolist()
with open(out, "w") as file:
    json.dump(values, file)
