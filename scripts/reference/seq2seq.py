"""Encoder-decoder models by Hugging Face in float32: what they generate, and loss, logits and gradients of teacher forcing, also with a LoRA
-> test/reference/seq2seq.json."""
import json

import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import AutoModelForSeq2SeqLM
from transformers.trainer_pt_utils import LabelSmoother

from common import REFERENCE

# no padding token of any family among the tokens: PyTorch trains its row in some of them only
IDS = [[5, 17, 40, 33, 9, 61, 2], [12, 7, 54, 2, 0, 0, 0], [29, 29, 3, 44, 18, 2, 0]]
MASK = [[int(place < length) for place in range(7)] for length in (7, 4, 6)]
LABELS = [[31, 8, 52, 19, 2], [60, 4, 2, -100, -100], [22, 15, 33, 2, -100]]
# the end token of a random model hardly comes, so some cases take others
CASES = [
    dict(max_new_tokens=32),
    dict(max_new_tokens=32, num_beams=4),
    dict(max_new_tokens=24, num_beams=4, num_return_sequences=3, length_penalty=2.0, early_stopping=True, eos_token_id=[1, 9, 20, 33]),
    dict(max_new_tokens=24, num_beams=3, early_stopping="never", no_repeat_ngram_size=2, min_length=12, eos_token_id=[1, 9, 20, 33, 47, 61]),
    dict(max_new_tokens=16, num_beams=2, forced_bos_token_id=5, forced_eos_token_id=1),
    dict(max_new_tokens=24, repetition_penalty=1.3, eos_token_id=[1, 9, 20]),
    dict(max_new_tokens=12, decoder_input_ids=[[0, 8], [0, 52], [0, 19]]),
    dict(),
]
MODELS = {"t5": ["q", "v", "wi"], "t5-gated": ["q", "v", "wi_1"], "bart": ["q_proj", "v_proj", "fc1"], "mbart": ["q_proj", "v_proj", "fc1"]}


def listed(tensor):
    return [float(f"{value:.7g}") for value in tensor.detach().flatten().tolist()]


def passes(model):
    batch = dict(input_ids=torch.tensor(IDS), attention_mask=torch.tensor(MASK), labels=torch.tensor(LABELS))
    model.zero_grad()
    out = model(**batch)
    out.loss.backward()
    gradients = {name: listed(parameter.grad) for name, parameter in model.named_parameters() if parameter.grad is not None}
    smoothed = LabelSmoother(epsilon=0.1)(out, batch["labels"])
    return {"loss": out.loss.item(), "smoothed": smoothed.item(), "logits": listed(out.logits), "gradients": gradients}


def generated(model):
    cases = []
    for case in CASES:
        settings = {name: torch.tensor(value) if name == "decoder_input_ids" else value for name, value in case.items()}
        tokens = model.generate(torch.tensor(IDS), attention_mask=torch.tensor(MASK), do_sample=False, **settings).tolist()
        cases.append({"settings": case, "tokens": tokens})
    return cases


def load(name):
    return AutoModelForSeq2SeqLM.from_pretrained(REFERENCE / "families" / name, dtype=torch.float32, attn_implementation="eager").eval()


def outside(passed, model):
    """Of the model's own tensors those outside the blocks; the others are the servers'."""
    names = [name for name in passed["gradients"] if name.count(".") < 3 and not any(part in name for part in (".block.", ".layers."))]
    return {**passed, "gradients": {name: passed["gradients"][name] for name in names}}


def written(model, name, kind):
    folder = REFERENCE / "seq2seq" / f"{name}-{kind}"
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": name}, indent=2) + "\n")
    (folder / "adapter_model.safetensors").chmod(0o644)
    return model


def lora(name, targets):
    torch.manual_seed(5)
    model = get_peft_model(load(name), LoraConfig(task_type="SEQ_2_SEQ_LM", r=2, lora_alpha=4, target_modules=targets))
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            if "lora_" in path:
                parameter.copy_(torch.randn_like(parameter) / 4)
    return written(model, name, "lora")


def prompts(name):
    torch.manual_seed(6)
    model = get_peft_model(load(name), PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3))
    return written(model, name, "prompt")


def main():
    reference = {"ids": IDS, "mask": MASK, "labels": LABELS, "models": {}}
    for name, targets in MODELS.items():
        if not (REFERENCE / "families" / name).exists():
            continue
        model = load(name)
        entry = {"cases": generated(model), "pass": outside(passes(model), model)}
        adapted = {"lora": lora(name, targets), "prompt": prompts(name)}
        for kind, tuned in adapted.items():
            tuned.eval()
            passed = passes(tuned)
            tokens = tuned.generate(input_ids=torch.tensor(IDS), attention_mask=torch.tensor(MASK), do_sample=False, max_new_tokens=16).tolist()
            entry[kind] = {**{key: passed[key] for key in ("loss", "gradients")}, "tokens": tokens}
        reference["models"][name] = entry
        print(name, [[len(row) for row in case["tokens"]] for case in entry["cases"]], {kind: entry[kind]["loss"] for kind in adapted})
    (REFERENCE / "seq2seq.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
