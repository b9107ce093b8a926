"""Adapters of every tuning method for classification and hidden states as PEFT saves them, and what they give.

test/reference/task-adapters/<task>-<method>     adapter_config.json and adapter_model.safetensors, written by PEFT
test/reference/task-adapters/outputs.safetensors ids, mask (rows padded on the right), and `<task>-<method>`: logits, or the last
                                                 hidden states. Where virtual tokens come before sequences, which transformers
                                                 then scores at the last position, padding or not, sequences go through one by one.
"""
import copy
import os
import shutil

import torch
from peft import get_peft_model
from safetensors.torch import save_file

from adapters import BASE
from common import REFERENCE, ROOT
from tasks import NAMES, PROMPTS, TASKS, load
from tuning import METHODS

FOLDER = REFERENCE / "task-adapters"


def output(model, ids, mask):
    out = model(input_ids=ids, attention_mask=mask)
    return out.logits if "logits" in out else out.last_hidden_state


def main():
    os.chdir(ROOT)  # so that base_model_name_or_path is relative
    shutil.rmtree(FOLDER, ignore_errors=True)
    torch.manual_seed(7)
    ids = torch.randint(3, 64, (2, 9))
    mask = torch.ones_like(ids)
    ids[1, 6:], mask[1, 6:] = 0, 0
    tensors = {"ids": ids, "mask": mask}
    for kind, task in TASKS.items():
        for name in NAMES:
            config = copy.deepcopy(METHODS[name][1])
            config.task_type = task
            model = get_peft_model(load(task, BASE.relative_to(ROOT)), config).eval()
            for parameter_name, parameter in model.named_parameters():
                if "lora_B" in parameter_name or "lora_E" in parameter_name or "ia3" in parameter_name:
                    torch.nn.init.normal_(parameter, std=1.0 if "lora_E" in parameter_name else 0.2)
            with torch.no_grad():
                if task == "SEQ_CLS" and config.peft_type in PROMPTS:
                    rows = [row[keep == 1][None] for row, keep in zip(ids, mask)]
                    tensors[f"{kind}-{name}"] = torch.cat([output(model, row, torch.ones_like(row)) for row in rows])
                else:
                    tensors[f"{kind}-{name}"] = output(model, ids, mask).contiguous()
            model.save_pretrained(FOLDER / f"{kind}-{name}")
            (FOLDER / f"{kind}-{name}" / "README.md").unlink()
    save_file(tensors, FOLDER / "outputs.safetensors")


if __name__ == "__main__":
    main()
