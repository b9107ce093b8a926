"""Adapters that reach project_in and project_out of OPT-350m, which lie outside the blocks, as PEFT computes, trains and saves them.

test/reference/opt-projections/<case>/: an adapter as PEFT saves it.
test/reference/opt-projections/logits.safetensors: `ids`, `mask` and `<case>.logits`.
test/reference/opt-projections/norm-first-base/: a small OPT with narrow embeddings and norms first, the last norm included.
test/reference/opt-projections/others.safetensors: `ids` of one row; outputs of all-linear LoRA in `seq-cls`, `features` and `norm-first`.
test/reference/opt-projections/<method>.safetensors: twenty steps of some of the cases, as tuning.py writes them.
"""
import os
import shutil

import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification, OPTConfig, OPTForCausalLM

import tuning
from common import REFERENCE, ROOT

FOLDER = REFERENCE / "opt-projections"
BASE = "test/reference/families/opt-350m"
COMMON = dict(task_type="CAUSAL_LM")
BOTH = ["project_in", "project_out"]
# name -> function, because PEFT writes into configurations
CASES = {
    "all-linear": lambda: LoraConfig(**COMMON, r=2, lora_alpha=6, target_modules="all-linear"),
    "projections": lambda: LoraConfig(**COMMON, r=3, lora_alpha=6, use_rslora=True, target_modules=BOTH, rank_pattern={"project_out": 2},
                                      lora_dropout=0.1),
    "saved-whole": lambda: LoraConfig(**COMMON, r=2, lora_alpha=6, target_modules="all-linear", modules_to_save=["project_in"]),
    "ia3": lambda: IA3Config(**COMMON, target_modules=["k_proj", "fc2", *BOTH], feedforward_modules=["project_out", "fc2"]),
    "adalora": lambda: AdaLoraConfig(**COMMON, init_r=3, target_r=2, lora_alpha=10, tinit=3, tfinal=5, deltaT=2, total_step=tuning.STEPS,
                                     target_modules="all-linear"),
}
RATES = {"all-linear": 5e-3, "ia3": 2e-2, "adalora": 2e-2}


def load():
    return AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32, attn_implementation="eager", dropout=0.0)


def started(name):
    """With values that change the model: what is zero at first has no gradient behind it."""
    config = CASES[name]()
    model = get_peft_model(load(), config)
    for parameter_name, parameter in model.named_parameters():
        if parameter.requires_grad and ("lora_B" in parameter_name or "lora_E" in parameter_name):
            torch.nn.init.normal_(parameter, std=0.2)
        if "ia3_l" in parameter_name:
            torch.nn.init.normal_(parameter, mean=1.0, std=0.3)
    return model, config


def write_others():
    """The other tasks of OPT, and the other place of its norms."""
    torch.manual_seed(9)
    ids = torch.randint(3, 31, (1, 7))
    norm_first = "test/reference/opt-projections/norm-first-base"
    base = OPTForCausalLM(OPTConfig(hidden_size=16, num_attention_heads=2, num_hidden_layers=2, ffn_dim=24, word_embed_proj_dim=8, vocab_size=31,
                                    max_position_embeddings=16, do_layer_norm_before=True, dropout=0.0))
    for parameter in base.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    base.save_pretrained(norm_first)
    (ROOT / norm_first / "model.safetensors").chmod(0o644)
    models = {
        "seq-cls": ("SEQ_CLS", BASE, AutoModelForSequenceClassification, dict(num_labels=3)),
        "features": ("FEATURE_EXTRACTION", BASE, AutoModel, {}),
        "norm-first": ("CAUSAL_LM", norm_first, AutoModelForCausalLM, {}),
    }
    tensors = {"ids": ids}
    for name, (task, path, auto, options) in models.items():
        model = get_peft_model(auto.from_pretrained(path, dtype=torch.float32, attn_implementation="eager", dropout=0.0, **options),
                               LoraConfig(task_type=task, r=2, lora_alpha=6, target_modules="all-linear")).eval()
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name:
                torch.nn.init.normal_(parameter, std=0.2)
        with torch.no_grad():
            out = model(input_ids=ids)
        tensors[name] = (out.logits if "logits" in out else out.last_hidden_state).contiguous()
        model.save_pretrained(FOLDER / name)
        (FOLDER / name / "README.md").unlink()
        (FOLDER / name / "adapter_model.safetensors").chmod(0o644)
    save_file(tensors, FOLDER / "others.safetensors")
    (FOLDER / "others.safetensors").chmod(0o644)
    print({name: value.shape for name, value in tensors.items()})


def main():
    os.chdir(ROOT)  # so that base_model_name_or_path is relative
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    tuning.VOCABULARY = load().config.vocab_size
    torch.manual_seed(8)
    ids = torch.randint(3, tuning.VOCABULARY, (2, 9))
    mask = torch.ones_like(ids)
    ids[1, 6:], mask[1, 6:] = 0, 0
    tensors = {"ids": ids, "mask": mask}

    def logits(model):
        with torch.no_grad():
            return model.eval()(input_ids=ids, attention_mask=mask).logits.contiguous()

    tensors["base.logits"] = logits(load())
    for name in CASES:
        model, _ = started(name)
        if name == "saved-whole":
            torch.nn.init.normal_(model.base_model.model.model.decoder.project_in.modules_to_save.default.weight, std=0.2)
        tensors[f"{name}.logits"] = logits(model)
        model.save_pretrained(FOLDER / name)
        (FOLDER / name / "README.md").unlink()
        (FOLDER / name / "adapter_model.safetensors").chmod(0o644)
    save_file(tensors, FOLDER / "logits.safetensors")
    print({name: (value - tensors["base.logits"]).abs().max().item() for name, value in tensors.items() if "logits" in name})

    loss_of = lambda model, inputs: model(input_ids=inputs["ids"], attention_mask=inputs["mask"], labels=inputs["labels"]).loss
    for name, rate in RATES.items():
        generator = torch.Generator().manual_seed(5)
        batches = [tuning.batch(generator) for _ in range(tuning.BATCHES)]
        model, config = started(name)
        run = tuning.follow(model, rate, config, batches, loss_of)
        save_file(run, FOLDER / f"{name}.safetensors")
        print(name, run["losses"].tolist())
    write_others()


if __name__ == "__main__":
    main()
