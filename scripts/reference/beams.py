"""Beam searches of models/tiny by Hugging Face in float32 -> test/reference/tiny-beams.json."""
import json

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from common import REFERENCE, TINY
from greedy import PROMPTS

# The end token of the model hardly comes, so some cases take common signs.
CASES = [
    dict(num_beams=2, max_new_tokens=24),
    dict(num_beams=5, max_new_tokens=24, num_return_sequences=3),
    dict(num_beams=3, max_new_tokens=32, length_penalty=2.0, eos="."),
    dict(num_beams=4, max_new_tokens=32, length_penalty=-1.0, eos=".", num_return_sequences=4),
    dict(num_beams=4, max_new_tokens=32, early_stopping=True, eos=".,"),
    dict(num_beams=3, max_new_tokens=24, early_stopping="never", eos=".", num_return_sequences=2),
    dict(num_beams=3, max_new_tokens=24, length_penalty=0.0, early_stopping="never", eos=","),
    dict(num_beams=3, max_new_tokens=24, repetition_penalty=1.3, eos="."),
]


def main():
    tokenizer = AutoTokenizer.from_pretrained(TINY, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32, attn_implementation="eager").eval()
    batch = tokenizer(PROMPTS, return_tensors="pt", padding=True)
    width = batch.input_ids.shape[1]
    cases = []
    for case in CASES:
        settings = dict(case)
        eos = [tokenizer.encode(sign, add_special_tokens=False)[0] for sign in settings.pop("eos", "")]
        eos = eos or [model.config.eos_token_id]
        out = model.generate(
            **batch, do_sample=False, pad_token_id=tokenizer.pad_token_id, eos_token_id=eos,
            **settings,
        )
        tokens = out[:, width:].tolist()
        cases.append({"settings": settings, "eos": eos, "tokens": tokens})
        print(case, [len([token for token in row if token != tokenizer.pad_token_id]) for row in tokens])
    reference = {"ids": batch.input_ids.tolist(), "mask": batch.attention_mask.tolist(), "cases": cases}
    (REFERENCE / "tiny-beams.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
