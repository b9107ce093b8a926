"""Adapters that PEFT saves with ensure_weight_tying, over the tied Llama that adapters.py wrote.

test/reference/weight-tying/<case>/: as PEFT saves it after two steps of SGD; <case>.json: `ids`, `losses` of the two steps with their
gradient's norms, and `logits` of the last position after them. LoRA begins at A = sin(i) / 5 and B = cos(i) / 20.
"""
import json
import os
import shutil

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from common import REFERENCE, ROOT

FOLDER = REFERENCE / "weight-tying"
IDS = [[5, 9, 13, 17, 21, 25], [40, 41, 42, 43, 44, 45]]
CASES = {"embedding": ["embed_tokens"], "head": ["lm_head"]}


def main():
    os.chdir(ROOT)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for name, modules in CASES.items():
        base = AutoModelForCausalLM.from_pretrained("test/reference/adapters/tied", dtype=torch.float32)
        config = LoraConfig(task_type="CAUSAL_LM", r=1, target_modules=["q_proj"], layers_to_transform=[0], modules_to_save=modules,
                            ensure_weight_tying=True)
        model = get_peft_model(base, config)
        for key, parameter in model.named_parameters():
            at = torch.arange(parameter.numel(), dtype=torch.float64).reshape(parameter.shape)
            if "lora_A" in key:
                parameter.data = (at.sin() / 5).float()
            if "lora_B" in key:
                parameter.data = (at.cos() / 20).float()
        ids = torch.tensor(IDS)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=0.5)
        losses, norms = [], []
        for _ in range(2):
            optimizer.zero_grad()
            loss = model(input_ids=ids, labels=ids).loss
            loss.backward()
            losses.append(loss.item())
            norms.append(torch.cat([parameter.grad.flatten() for parameter in trained]).norm().item())
            optimizer.step()
        with torch.no_grad():
            logits = model(input_ids=ids).logits[:, -1].tolist()
        model.save_pretrained(FOLDER / name)
        (FOLDER / name / "README.md").unlink()
        (FOLDER / f"{name}.json").write_text(json.dumps({"ids": IDS, "losses": losses, "norms": norms, "logits": logits}) + "\n")
        print(name, losses, norms, [key for key, _ in model.named_parameters() if "modules_to_save" in key])


if __name__ == "__main__":
    main()
