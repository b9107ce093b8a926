"""Adapters and twenty AdamW steps of LoHa, LoKr, VeRA, OFT, BOFT and LN tuning with PEFT, over the random Llamas of adapters.py.

test/reference/methods/<name>/                   adapter_config.json and adapter_model.safetensors, written by PEFT
test/reference/methods/logits.safetensors        ids, mask, and `<name>.logits` for each adapter
test/reference/methods/runs/<name>.safetensors   as tuning.py writes them

PEFT multiplies butterflies with more than one factor by a CUDA extension only: here torch.block_diag stands in for it.
"""
import os
import shutil

import torch
from peft import BOFTConfig, LNTuningConfig, LoHaConfig, LoKrConfig, OFTConfig, VeraConfig, get_peft_model
from peft.tuners.boft import layer as boft_layer
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from adapters import BASE, BIASED
from common import REFERENCE, ROOT
from tuning import BATCHES, batch, follow

FOLDER = REFERENCE / "methods"
COMMON = dict(task_type="CAUSAL_LM")
SOME = ["q_proj", "v_proj", "down_proj"]
METHODS = {
    "loha": (2e-2, LoHaConfig(**COMMON, r=3, alpha=6, target_modules=SOME, rank_pattern={"down_proj": 2}, alpha_pattern={"v_proj": 9})),
    "lokr": (2e-2, LoKrConfig(**COMMON, r=2, alpha=4, target_modules=SOME)),
    "lokr-both": (2e-2, LoKrConfig(**COMMON, r=1, alpha=2, decompose_both=True, decompose_factor=8, init_weights="lycoris", target_modules=SOME)),
    "vera": (5e-2, VeraConfig(**COMMON, r=8, target_modules=SOME)),
    "vera-key": (5e-2, VeraConfig(**COMMON, r=6, projection_prng_key=2 ** 33 + 7, save_projection=False, d_initial=0.3, bias="vera_only",
                                  target_modules=["q_proj", "up_proj"])),
    "oft": (2e-2, OFTConfig(**COMMON, oft_block_size=4, target_modules=SOME)),
    "oft-share": (2e-2, OFTConfig(**COMMON, r=6, oft_block_size=0, block_share=True, use_cayley_neumann=False, target_modules=SOME)),
    "oft-constrained": (2e-2, OFTConfig(**COMMON, oft_block_size=8, coft=True, eps=0.3, bias="oft_only", num_cayley_neumann_terms=4,
                                        target_modules=["q_proj", "up_proj"])),
    "boft": (2e-2, BOFTConfig(**COMMON, boft_block_size=4, target_modules=SOME)),
    "boft-butterfly": (2e-2, BOFTConfig(**COMMON, boft_block_size=0, boft_block_num=8, boft_n_butterfly_factor=3, bias="boft_only",
                                        target_modules=["q_proj", "up_proj"])),
    "ln-tuning": (5e-2, LNTuningConfig(**COMMON)),
    "ln-blocks": (5e-2, LNTuningConfig(**COMMON, target_modules=r".*\.[02]\.input_layernorm")),
}


class BlockDiag:
    """What the CUDA extension does."""

    @staticmethod
    def apply(blocks):
        return torch.stack([torch.block_diag(*factor) for factor in blocks])


def base_of(name, config):
    return BIASED if getattr(config, "bias", "none") != "none" else BASE


def load(name, config):
    path = base_of(name, config).relative_to(ROOT)
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager")


def adapter(name, config, ids, mask):
    """What changes nothing at first would prove nothing: values at random."""
    torch.manual_seed(7)
    model = get_peft_model(load(name, config), config)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    with torch.no_grad():
        logits = model.eval()(input_ids=ids, attention_mask=mask).logits.contiguous()
    model.save_pretrained(FOLDER / name)
    (FOLDER / name / "README.md").unlink()
    return logits


def run(name, rate, config):
    torch.manual_seed(4)
    model = get_peft_model(load(name, config), config)
    generator = torch.Generator().manual_seed(5)
    loss_of = lambda model, inputs: model(input_ids=inputs["ids"], attention_mask=inputs["mask"], labels=inputs["labels"]).loss
    return follow(model, rate, config, [batch(generator) for _ in range(BATCHES)], loss_of)


def main():
    os.chdir(ROOT)  # so that base_model_name_or_path is relative
    boft_layer.get_fbd_cuda, boft_layer.FastBlockDiag = lambda: True, BlockDiag
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "runs").mkdir(parents=True)
    generator = torch.Generator().manual_seed(8)
    ids = torch.randint(3, 64, (2, 9), generator=generator)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    tensors = {"ids": ids, "mask": mask}
    for name, (rate, config) in METHODS.items():
        tensors[f"{name}.logits"] = adapter(name, config, ids, mask)
        steps = run(name, rate, config)
        save_file(steps, FOLDER / "runs" / f"{name}.safetensors")
        print(name, [round(loss, 4) for loss in steps["losses"].tolist()], sorted(key for key in steps if key.startswith("initial."))[:3])
    save_file(tensors, FOLDER / "logits.safetensors")


if __name__ == "__main__":
    main()
