"""Twenty AdamW steps of every tuning method for every other task than language modelling, over the model of adapters.py.

test/reference/tasks/<task>-<name>.safetensors: as tuning.py writes them, with `score.weight` and `score.bias` of the head
among the parameters. Labels are [batch, 1] for sequences, [batch, seq] for tokens; for hidden states, which have no loss of
their own, `targets` [batch, hidden], from which the mean over the tokens has the mean squared distance.

With transformers 5.23 three things of peft 0.21.2 are gone around here:
- a classification with prefixes refuses models that call their cache otherwise than past_key_values: the name is given back;
- labels of tokens are not lengthened by the virtual tokens: they are here, by -100;
- with virtual tokens transformers scores the last position of a sequence though it be padding: sequences go through one by one.
"""
import copy
import shutil

import torch
from peft import PeftType, get_peft_model
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, pad
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification

from adapters import BASE
from common import REFERENCE
from tuning import BATCH, BATCHES, LONGEST, METHODS, VOCABULARY, follow

FOLDER = REFERENCE / "tasks"
LABELS, HIDDEN = 3, 32
TASKS = {"seq-cls": "SEQ_CLS", "token-cls": "TOKEN_CLS", "features": "FEATURE_EXTRACTION"}
NAMES = ["lora", "adalora", "ia3", "prompt", "prefix", "prefix-projection", "p-tuning", "p-tuning-lstm"]
PROMPTS = (PeftType.PROMPT_TUNING, PeftType.P_TUNING)


def load(task, base=BASE):
    """The base model with a new head, which dropout leaves alone."""
    options = dict(dtype=torch.float32, attn_implementation="eager")
    if task == "FEATURE_EXTRACTION":
        return AutoModel.from_pretrained(base, **options)
    auto = AutoModelForSequenceClassification if task == "SEQ_CLS" else AutoModelForTokenClassification
    config = AutoConfig.from_pretrained(base, num_labels=LABELS)
    config.classifier_dropout = 0.0
    model = auto.from_pretrained(base, config=config, **options)
    forward = model.forward
    model.forward = lambda *positional, past_key_values=None, **named: forward(
        *positional, **named, **({} if past_key_values is None else {"past_key_values": past_key_values}))
    return model


def batch(task, generator):
    """Rows of different lengths. A sequence's label is the third that its first token is from, a token's that of the token before it."""
    ids = torch.zeros(BATCH, LONGEST, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    sequence_labels = torch.zeros(BATCH, 1, dtype=torch.long)
    for row in range(BATCH):
        length = LONGEST if row == 0 else torch.randint(4, LONGEST, (1,), generator=generator).item()
        tokens = torch.randint(3, VOCABULARY, (length,), generator=generator)
        ids[row, :length], mask[row, :length] = tokens, 1
        thirds = (tokens - 3) * LABELS // (VOCABULARY - 3)
        labels[row, :length] = torch.cat([torch.tensor([-100]), thirds[:-1]])
        sequence_labels[row, 0] = thirds[0]
    if task == "FEATURE_EXTRACTION":
        return dict(ids=ids, mask=mask, targets=torch.randn(BATCH, HIDDEN, generator=generator))
    return dict(ids=ids, mask=mask, labels=sequence_labels if task == "SEQ_CLS" else labels)


def loss_of(task, config):
    before = config.num_virtual_tokens if config.peft_type in PROMPTS else 0

    def loss(model, inputs):
        options = dict(input_ids=inputs["ids"], attention_mask=inputs["mask"])
        if task == "FEATURE_EXTRACTION":
            states = model(**options).last_hidden_state[:, before:]
            pooled = (states * inputs["mask"][..., None]).sum(1) / inputs["mask"].sum(1, keepdim=True)
            penalty = 0
            if config.peft_type == PeftType.ADALORA:  # which PEFT adds to losses of the model only
                norms = [torch.norm(p @ p.T - torch.eye(len(p)) if "lora_A" in n else p.T @ p - torch.eye(p.shape[1]))
                         for n, p in model.named_parameters() if "lora_A" in n or "lora_B" in n]
                penalty = config.orth_reg_weight * sum(norms) / len(norms)
            return ((pooled - inputs["targets"]) ** 2).mean() + penalty
        if task == "SEQ_CLS" and before > 0:
            rows = [ids[mask == 1][None] for ids, mask in zip(inputs["ids"], inputs["mask"])]
            logits = torch.cat([model(input_ids=row, attention_mask=torch.ones_like(row)).logits for row in rows])
            return cross_entropy(logits, inputs["labels"].squeeze(1))
        labels = inputs["labels"].squeeze(1) if task == "SEQ_CLS" else pad(inputs["labels"], (before, 0), value=-100)
        return model(**options, labels=labels).loss

    return loss


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for kind, task in TASKS.items():
        for name in NAMES:
            rate, config = copy.deepcopy(METHODS[name])
            config.task_type = task
            torch.manual_seed(4)
            model = get_peft_model(load(task), config)
            generator = torch.Generator().manual_seed(6)
            batches = [batch(task, generator) for _ in range(BATCHES)]
            tensors = follow(model, rate, config, batches, loss_of(task, config))
            save_file(tensors, FOLDER / f"{kind}-{name}.safetensors")
            print(kind, name, [round(loss, 4) for loss in tensors["losses"].tolist()])


if __name__ == "__main__":
    main()
