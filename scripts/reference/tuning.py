"""Twenty AdamW steps of every tuning method with PEFT, over the random Llama that adapters.py wrote.

test/reference/tuning/<name>.safetensors: `losses` and `norms` (of the gradients before clipping), each [20];
`<batch>.ids`, `<batch>.mask`, `<batch>.labels` of four batches that take turns; `initial.<parameter>`, `gradient.<parameter>` (of the first step, before
clipping) and `final.<parameter>`, with the parameter names of PEFT's files, or of its prompt encoder where that is not
saved; for AdaLoRA `ranks.<module>`, 1 where a rank is kept at the end.
"""
import re
import shutil

import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, get_linear_schedule_with_warmup

from adapters import base_of
from common import REFERENCE

FOLDER = REFERENCE / "tuning"
STEPS, BATCHES, BATCH, LONGEST, VOCABULARY = 20, 4, 3, 11, 64
METHODS = {
    "lora": (2e-2, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=10, target_modules=["q_proj", "v_proj", "down_proj"])),
    "prompt": (1e-1, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)),
    "prefix": (1e-1, PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)),
    "prefix-projection": (2e-2, PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4, encoder_hidden_size=24,
                                                   prefix_projection=True)),
    "p-tuning": (2e-2, PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=4, encoder_hidden_size=24)),
    "p-tuning-lstm": (2e-2, PromptEncoderConfig(task_type="CAUSAL_LM", num_virtual_tokens=4, encoder_hidden_size=12,
                                                encoder_reparameterization_type="LSTM")),
    "adalora": (5e-2, AdaLoraConfig(task_type="CAUSAL_LM", init_r=4, target_r=2, lora_alpha=10, tinit=3, tfinal=5, deltaT=2,
                                    total_step=STEPS, target_modules=["q_proj", "v_proj", "down_proj"])),
    "ia3": (5e-2, IA3Config(task_type="CAUSAL_LM")),
    "lora-stabilized": (2e-2, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=6, use_rslora=True, layers_to_transform=[0, 2],
                                         rank_pattern={"down_proj": 2}, alpha_pattern={"v_proj": 3},
                                         target_modules=["q_proj", "v_proj", "down_proj"])),
    "lora-bias-all": (2e-2, LoraConfig(task_type="CAUSAL_LM", r=2, bias="all", target_modules=["q_proj", "up_proj"])),
    "lora-bias-only": (2e-2, LoraConfig(task_type="CAUSAL_LM", r=2, bias="lora_only", target_modules=["q_proj", "up_proj"])),
    "lora-modules": (2e-2, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"],
                                      modules_to_save=["embed_tokens", "model.norm", "lm_head"])),
    "deep-prompt": (5e-2, None),
}


class DeepPrompts(torch.nn.Module):
    """What Petals' deep prompt tuning computes, over a whole model here: PEFT has none."""

    def __init__(self, base, tokens=4):
        super().__init__()
        self.base, self.tokens = base.requires_grad_(False), tokens
        width, layers = base.config.hidden_size, base.model.layers
        self.prompt_embeddings = torch.nn.Parameter(torch.randn(tokens, width))
        self.intermediate_prompt_embeddings = torch.nn.Parameter(torch.randn(tokens, len(layers) * width))
        for block, layer in enumerate(layers):
            layer.register_forward_pre_hook(lambda _, given, block=block: (self.add(given[0], block), *given[1:]))

    def add(self, hidden, block):
        prompt = self.intermediate_prompt_embeddings.unflatten(1, (-1, hidden.shape[2]))[:, block]
        return torch.cat([hidden[:, :self.tokens] + prompt, hidden[:, self.tokens:]], 1)

    def forward(self, input_ids, attention_mask, labels):
        rows = len(input_ids)
        embedded = self.base.get_input_embeddings()(input_ids)
        hidden = torch.cat([self.prompt_embeddings.expand(rows, -1, -1), embedded], 1)
        mask = torch.cat([torch.ones(rows, self.tokens, dtype=torch.long), attention_mask], 1)
        labels = torch.cat([torch.full((rows, self.tokens), -100), labels], 1)
        return self.base(inputs_embeds=hidden, attention_mask=mask, labels=labels)


def batch(generator):
    """Counting upwards from a random token, after a random prompt: something to learn. Rows of different lengths."""
    ids = torch.zeros(BATCH, LONGEST, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row in range(BATCH):
        prompt, completion = torch.randint(2, 5, (2,), generator=generator).tolist()
        length = LONGEST if row == 0 else prompt + completion
        ids[row, :prompt] = torch.randint(3, VOCABULARY, (prompt,), generator=generator)
        for place in range(prompt, length):
            ids[row, place] = 3 + (ids[row, place - 1] - 2) % (VOCABULARY - 3)
        mask[row, :length] = 1
        labels[row, prompt:length] = ids[row, prompt:length]
    return dict(ids=ids, mask=mask, labels=labels)


def parameters_of(model):
    """What is trained, under the names of PEFT's files; what an encoder has under its own; a task's head as the model calls it."""
    trained = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            head = re.fullmatch(r"base_model\.(?:model\.)?(.+)\.modules_to_save\.default\.(\w+)", name)
            trained[".".join(head.groups()) if head else name.replace(".default", "").removeprefix("prompt_encoder.")] = parameter
    encoders = [name for name in trained if name.startswith(("embedding.", "transform.", "mlp_head.", "lstm_head."))]
    if encoders == ["embedding.weight"]:
        trained = {"prompt_embeddings" if name in encoders else name: parameter for name, parameter in trained.items()}
    return trained


def follow(model, rate, config, batches, loss_of):
    """STEPS steps of AdamW over batches that take turns, and what is compared of them."""
    trained = parameters_of(model.train())
    is_adalora = config is not None and config.peft_type == "ADALORA"
    parameters = list(trained.values())
    optimizer = torch.optim.AdamW(parameters, lr=rate)
    schedule = get_linear_schedule_with_warmup(optimizer, 2, STEPS)
    state = lambda: {name: parameter.detach().clone() for name, parameter in trained.items()}
    tensors = {f"initial.{name}": tensor for name, tensor in state().items()}
    for index, inputs in enumerate(batches):
        tensors |= {f"{index}.{name}": tensor for name, tensor in inputs.items()}
    losses, norms = [], []
    for step in range(STEPS):
        loss = loss_of(model, batches[step % BATCHES])
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            tensors |= {f"gradient.{name}": parameter.grad.clone() for name, parameter in trained.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        losses.append(loss.item())
        optimizer.step()
        schedule.step()
        if is_adalora:
            model.base_model.update_and_allocate(step + 1)
    if is_adalora:
        for name, kept in config.rank_pattern.items():
            tensors[f"ranks.{name.replace('.default', '')}"] = torch.tensor(kept).long()
    tensors |= {f"final.{name}": tensor for name, tensor in state().items()}
    return tensors | {"losses": torch.tensor(losses), "norms": torch.tensor(norms)}


def run(name, rate, config):
    torch.manual_seed(4)
    base = AutoModelForCausalLM.from_pretrained(base_of(name), dtype=torch.float32, attn_implementation="eager")
    model = DeepPrompts(base) if config is None else get_peft_model(base, config)
    generator = torch.Generator().manual_seed(5)
    loss_of = lambda model, inputs: model(input_ids=inputs["ids"], attention_mask=inputs["mask"], labels=inputs["labels"]).loss
    return follow(model, rate, config, [batch(generator) for _ in range(BATCHES)], loss_of)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for name, (rate, config) in METHODS.items():
        tensors = run(name, rate, config)
        save_file(tensors, FOLDER / f"{name}.safetensors")
        print(name, tensors["losses"].tolist(), tensors["norms"].tolist())


if __name__ == "__main__":
    main()
