"""Adapters as PEFT itself saves them over a random tiny Llama, and the logits they give.

test/reference/adapters/base        the model (a Hugging Face directory, float32)
test/reference/adapters/biased      another one, whose linear modules have biases
test/reference/adapters/tied        another one, whose head is its embedding
test/reference/adapters/<name>      adapter_config.json and adapter_model.safetensors, written by PEFT
test/reference/adapters/logits.safetensors   ids, mask, and `<name>.logits` for each adapter and the base
"""
import os
import shutil

import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from common import REFERENCE, ROOT

FOLDER = REFERENCE / "adapters"
BASE = FOLDER / "base"
BIASED = FOLDER / "biased"
TIED = FOLDER / "tied"
SIZES = dict(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, intermediate_size=48, vocab_size=64, num_hidden_layers=3,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0, initializer_range=0.2)
ADAPTERS = {
    "lora": LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=6, lora_dropout=0.1, target_modules=["q_proj", "mlp.down_proj"]),
    "lora-stabilized": LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=5, use_rslora=True, init_lora_weights="gaussian",
                                  target_modules=["self_attn.v_proj", "o_proj"], layers_to_transform=[0, 2]),
    "lora-all-linear": LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules="all-linear"),
    "lora-regex": LoraConfig(task_type="CAUSAL_LM", target_modules=r".*\.[01]\.mlp\.(gate|up)_proj"),
    "prompt": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5),
    "prefix": PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4),
    "prefix-projection": PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3, encoder_hidden_size=24, prefix_projection=True),
    "p-tuning": PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=5, encoder_hidden_size=24),
    "p-tuning-lstm": PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=4, encoder_hidden_size=12,
                                         encoder_reparameterization_type="LSTM", encoder_dropout=0.1),
    "adalora": AdaLoraConfig(task_type="CAUSAL_LM", init_r=4, target_r=2, total_step=10, tinit=2, tfinal=3, lora_alpha=6,
                             target_modules=["q_proj", "mlp.down_proj"]),
    "ia3": IA3Config(task_type="CAUSAL_LM"),
    "ia3-all": IA3Config(task_type="CAUSAL_LM", target_modules="all-linear", feedforward_modules=r".*\.(o|down)_proj", init_ia3_weights=False),
    "lora-patterns": LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=6, target_modules=["q_proj", "v_proj", "up_proj"],
                                exclude_modules=["layers.1.self_attn.q_proj"], layers_to_transform=[1, 2], layers_pattern="layers",
                                rank_pattern={"up_proj": 5, r"layers\.2\.self_attn\.v_proj": 1}, alpha_pattern={"v_proj": 20}),
    "lora-bias-all": LoraConfig(task_type="CAUSAL_LM", r=2, bias="all", target_modules=["q_proj", "up_proj"]),
    "lora-bias-only": LoraConfig(task_type="CAUSAL_LM", r=2, bias="lora_only", target_modules=["q_proj", "up_proj"],
                                 layers_to_transform=[1]),
    "lora-modules": LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"], modules_to_save=["embed_tokens", "model.norm"]),
    "ia3-tied": IA3Config(task_type="CAUSAL_LM", modules_to_save=["lm_head"]),
}


def base_of(name):
    return BIASED if "bias" in name else TIED if "tied" in name else BASE


def prune(model):
    """Modules keep different ranks, the first of them none; what is dropped is zero, as after AdaLoRA's last allocation."""
    pattern = {}
    for index, (name, parameter) in enumerate((n, p) for n, p in model.base_model.model.named_parameters() if "lora_E" in n):
        kept = [index > 0 and (index + rank) % 3 > 0 for rank in range(4)]
        parameter.data[~torch.tensor(kept)] = 0
        pattern[name] = kept
    return pattern


def main():
    os.chdir(ROOT)  # so that base_model_name_or_path is relative
    shutil.rmtree(FOLDER, ignore_errors=True)
    torch.manual_seed(3)
    LlamaForCausalLM(LlamaConfig(**SIZES)).save_pretrained(BASE)
    ids = torch.randint(3, 64, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    tensors = {"ids": ids, "mask": mask}

    def logits(model):
        with torch.no_grad():
            return model.eval()(input_ids=ids, attention_mask=mask).logits.contiguous()

    def load(base):
        return AutoModelForCausalLM.from_pretrained(base.relative_to(ROOT), dtype=torch.float32, attn_implementation="eager")

    tensors["base.logits"] = logits(load(BASE))
    for name, config in ADAPTERS.items():
        if base_of(name) == BIASED and not BIASED.exists():
            biased = LlamaForCausalLM(LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True))
            for parameter_name, parameter in biased.named_parameters():
                if parameter_name.endswith(".bias"):
                    torch.nn.init.normal_(parameter, std=0.3)
            biased.save_pretrained(BIASED)
        if base_of(name) == TIED:
            LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True)).save_pretrained(TIED)
        model = get_peft_model(load(base_of(name)), config)
        for parameter_name, parameter in model.named_parameters():
            if "lora_B" in parameter_name or "lora_E" in parameter_name:  # zero at first: that would prove nothing
                torch.nn.init.normal_(parameter, std=1.0 if "lora_E" in parameter_name else 0.2)
            elif "ia3_l" in parameter_name or (parameter.requires_grad and (parameter_name.endswith(".bias") or "modules_to_save" in parameter_name)):
                parameter.data.add_(0.3 * torch.randn_like(parameter))
        if name == "adalora":
            model.base_model.peft_config["default"].rank_pattern = prune(model)
        tensors[f"{name}.logits"] = logits(model)
        model.save_pretrained(FOLDER / name)
        (FOLDER / name / "README.md").unlink()
    save_file(tensors, FOLDER / "logits.safetensors")


if __name__ == "__main__":
    main()
