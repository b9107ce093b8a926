"""Greedy continuations and logits of models/tiny by Hugging Face in float32 -> test/reference/tiny-greedy.json."""
import json

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from common import REFERENCE, TINY

NEW_TOKENS = 64
# Of different lengths, and none whose two best tokens come closer than rounding can: see `smallestMargin`.
PROMPTS = [
    "The whale",
    "Call me",
    "The state of the Union is",
    "Blessed is the man that",
    "It was the first day of the voyage, and",
    "My fellow citizens, in the year 1865 the army of the United States had been",
]


def main():
    tokenizer = AutoTokenizer.from_pretrained(TINY, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32, attn_implementation="eager").eval()
    settings = dict(do_sample=False, max_new_tokens=NEW_TOKENS, pad_token_id=tokenizer.pad_token_id)
    alone, margin = [], float("inf")
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        out = model.generate(ids, attention_mask=torch.ones_like(ids), output_logits=True, return_dict_in_generate=True, **settings)
        for step in out.logits:
            top = step[0].topk(2).values
            margin = min(margin, (top[0] - top[1]).item())
        new = out.sequences[0, ids.shape[1]:].tolist()
        alone.append({"prompt": prompt, "ids": ids[0].tolist(), "tokens": new, "text": tokenizer.decode(new)})
    batch = tokenizer(PROMPTS, return_tensors="pt", padding=True)
    padded = model.generate(**batch, **settings)[:, batch.input_ids.shape[1]:].tolist()
    with torch.no_grad():
        logits = model(torch.tensor([alone[0]["ids"]])).logits[0]
    reference = {
        "newTokens": NEW_TOKENS,
        "smallestMargin": margin,
        "alone": alone,
        "batch": {"ids": batch.input_ids.tolist(), "mask": batch.attention_mask.tolist(), "tokens": padded},
        "logits": {"ids": alone[0]["ids"], "last": [round(value, 6) for value in logits[-1].tolist()]},
    }
    (REFERENCE / "tiny-greedy.json").write_text(json.dumps(reference) + "\n")
    print("margin", margin, "lengths", [len(row["tokens"]) for row in alone])
    print("batch equals alone:", [row["tokens"] == tokens[:len(row["tokens"])] for row, tokens in zip(alone, padded)])


if __name__ == "__main__":
    main()
