"""Twenty AdamW steps of every tuning method with PEFT, over the random Llama that adapters.py wrote.

test/reference/tuning/<name>.safetensors: `losses` and `norms` (of the gradients before clipping), each [20];
`<batch>.ids`, `<batch>.mask`, `<batch>.labels` of four batches that take turns; `initial.<parameter>`, `gradient.<parameter>` (of the first step, before
clipping) and `final.<parameter>`, with the parameter names of PEFT's files, or of its prompt encoder where that is not
saved; for AdaLoRA `ranks.<module>`, 1 where a rank is kept at the end.
"""
import shutil

import torch
from peft import AdaLoraConfig, LoraConfig, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, get_linear_schedule_with_warmup

from adapters import BASE
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
}


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


def run(rate, config):
    torch.manual_seed(4)
    base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32, attn_implementation="eager")
    model = get_peft_model(base, config).train()
    trained = {name.replace(".default", "").removeprefix("prompt_encoder."): parameter
               for name, parameter in model.named_parameters() if parameter.requires_grad}
    if list(trained) == ["embedding.weight"]:
        trained = {"prompt_embeddings": trained["embedding.weight"]}
    parameters = list(trained.values())
    optimizer = torch.optim.AdamW(parameters, lr=rate)
    schedule = get_linear_schedule_with_warmup(optimizer, 2, STEPS)
    state = lambda: {name: parameter.detach().clone() for name, parameter in trained.items()}
    tensors = {f"initial.{name}": tensor for name, tensor in state().items()}
    generator = torch.Generator().manual_seed(5)
    batches = [batch(generator) for _ in range(BATCHES)]
    for index, inputs in enumerate(batches):
        tensors |= {f"{index}.{name}": tensor for name, tensor in inputs.items()}
    losses, norms = [], []
    for step in range(STEPS):
        inputs = batches[step % BATCHES]
        loss = model(input_ids=inputs["ids"], attention_mask=inputs["mask"], labels=inputs["labels"]).loss
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            tensors |= {f"gradient.{name}": parameter.grad.clone() for name, parameter in trained.items()}
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        losses.append(loss.item())
        optimizer.step()
        schedule.step()
        if config.peft_type == "ADALORA":
            model.base_model.update_and_allocate(step + 1)
    if config.peft_type == "ADALORA":
        for name, kept in config.rank_pattern.items():
            tensors[f"ranks.{name.replace('.default', '')}"] = torch.tensor(kept).long()
    tensors |= {f"final.{name}": tensor for name, tensor in state().items()}
    return tensors | {"losses": torch.tensor(losses), "norms": torch.tensor(norms)}


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for name, (rate, config) in METHODS.items():
        tensors = run(rate, config)
        save_file(tensors, FOLDER / f"{name}.safetensors")
        print(name, tensors["losses"].tolist(), tensors["norms"].tolist())


if __name__ == "__main__":
    main()
