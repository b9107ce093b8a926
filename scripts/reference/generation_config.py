"""What transformers' generate() makes of a generation_config.json and no other option -> test/reference/generation-config.json: rows of the
file's fields, `ids` of a prompt, and the whole sequences that come; and the names of all fields -> test/reference/generation-fields.json."""
import json
import os
import tempfile
import warnings

import torch
from transformers import AutoModelForCausalLM, GenerationConfig

from common import REFERENCE

BASE = REFERENCE / "grouped"
IDS = [5, 9, 13, 17, 9, 13]
CASES = [
    dict(max_new_tokens=12),
    dict(max_length=16),
    dict(max_new_tokens=12, repetition_penalty=1.7),
    dict(max_new_tokens=12, no_repeat_ngram_size=2),
    dict(max_new_tokens=12, repetition_penalty=1.2, no_repeat_ngram_size=2, suppress_tokens=[13, 40]),
    dict(max_new_tokens=10),
    dict(max_new_tokens=5, forced_eos_token_id=7),
    dict(max_new_tokens=8, num_beams=3, num_return_sequences=2, length_penalty=0.5, no_repeat_ngram_size=2),
    dict(max_new_tokens=12, do_sample=False, temperature=0.0, top_p=0.1),
    dict(max_new_tokens=12, do_sample=True, temperature=0.3, top_k=1),
    dict(max_new_tokens=12, renormalize_logits=True),
    dict(max_new_tokens=8, num_beams=3, num_return_sequences=3, repetition_penalty=1.5),
    dict(max_new_tokens=8, num_beams=3, num_return_sequences=3, repetition_penalty=1.5, renormalize_logits=True),
]


def main():
    warnings.filterwarnings("ignore")
    rows = []
    for case in CASES:
        model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
        plain = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "generation_config.json")
            # the first token that comes may not, and a token that comes becomes an end that is put off
            free = model.generate(torch.tensor([IDS]), max_new_tokens=4, do_sample=False)[0, len(IDS):].tolist()
            fields = plain | case
            if "repetition_penalty" in case:
                fields |= {"bad_words_ids": [[free[1]], [free[0], free[2]]]}
            if case.get("max_new_tokens") == 10:
                fields |= {"eos_token_id": [free[1], 2], "min_new_tokens": 6, "begin_suppress_tokens": [free[0]]}
            with open(path, "w") as file:
                json.dump(fields, file)
            model.generation_config = GenerationConfig.from_pretrained(folder)
        made = model.generate(torch.tensor([IDS])).tolist()
        rows.append({"fields": fields, "ids": IDS, "sequences": made})
        print(fields, [row[len(IDS):] for row in made])
    (REFERENCE / "generation-fields.json").write_text(json.dumps(sorted(vars(GenerationConfig()))) + "\n")
    (REFERENCE / "generation-config.json").write_text(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
