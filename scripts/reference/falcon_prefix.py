"""A prefix over Falcon's new architecture, whose query heads of one group have the same keys and values, with PEFT.

test/reference/falcon-prefix/: the adapter as PEFT saves it, and logits.json: `ids` and the logits of the last position.
"""
import json
import os
import shutil

import torch
from peft import PrefixTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM

from common import REFERENCE, ROOT

FOLDER = REFERENCE / "falcon-prefix"
IDS = [[5, 9, 13, 17, 21, 25], [40, 41, 42, 43, 44, 45]]


def main():
    os.chdir(ROOT)
    shutil.rmtree(FOLDER, ignore_errors=True)
    base = AutoModelForCausalLM.from_pretrained("test/reference/families/falcon-40b", dtype=torch.float32, attn_implementation="sdpa")
    heads, groups, blocks = base.config.num_attention_heads, base.config.num_kv_heads, base.config.num_hidden_layers
    size = base.config.hidden_size // heads
    model = get_peft_model(base, PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)).eval()
    weight = model.prompt_encoder["default"].embedding.weight
    values = torch.arange(3 * blocks * 2 * groups * size, dtype=torch.float64).sin().float().reshape(3, blocks * 2 * groups, 1, size)
    weight.data = values.expand(-1, -1, heads // groups, -1).reshape(weight.shape).contiguous()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor(IDS), attention_mask=torch.ones(2, 6, dtype=torch.long)).logits[:, -1]
    model.save_pretrained(FOLDER)
    (FOLDER / "README.md").unlink()
    (FOLDER / "adapter_model.safetensors").chmod(0o644)
    (FOLDER / "logits.json").write_text(json.dumps({"ids": IDS, "logits": logits.tolist()}) + "\n")
    print(weight.shape, heads, groups)


if __name__ == "__main__":
    main()
