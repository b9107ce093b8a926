"""What PEFT on PyTorch reaches on data/sources.test.jsonl with the settings of sources.json: the other column of docs/results.md.

    python scripts/reference/sources_accuracy.py [--seeds 1 2 3] [--methods LoRA ...] [--threads 1] [--validation] [--rate 1e-2]

A line of JSON for each method and seed. --validation trains without every tenth example and measures those: what the rates were chosen by.
Deep prompt tuning is that of tuning.py, with a head: PEFT has none. The score is that of a sequence's last token, also where transformers, with virtual tokens before it,
takes that of the padding.
"""
import argparse
import json
import time

import torch
from peft import PEFT_TYPE_TO_CONFIG_MAPPING, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, get_scheduler
from transformers.trainer_pt_utils import get_length_grouped_indices

from common import ROOT, TINY
from tasks import load

SETTINGS = json.loads((ROOT / "scripts" / "reference" / "sources.json").read_text())
NAMES = ["address", "novel", "scripture"]


class DeepPrompts(torch.nn.Module):
    """Petals' deep prompt tuning for a classification: vectors before the sequence, and others added to each block's first hidden states."""

    def __init__(self, base, tokens):
        super().__init__()
        self.base, self.tokens = base.requires_grad_(False), tokens
        base.score.requires_grad_(True)
        width, layers = base.config.hidden_size, base.model.layers
        self.first = torch.nn.Parameter(torch.randn(tokens, width))
        self.deep = torch.nn.Parameter(torch.randn(len(layers), tokens, width))
        for block, layer in enumerate(layers):
            layer.register_forward_pre_hook(lambda _, given, block=block: (
                torch.cat([given[0][:, :tokens] + self.deep[block], given[0][:, tokens:]], 1), *given[1:]))

    def forward(self, input_ids, attention_mask):
        rows = len(input_ids)
        embedded = self.base.get_input_embeddings()(input_ids)
        mask = torch.cat([torch.ones(rows, self.tokens, dtype=torch.long), attention_mask], 1)
        return self.base(inputs_embeds=torch.cat([self.first.expand(rows, -1, -1), embedded], 1), attention_mask=mask)


def examples(name, tokenizer):
    lines = (ROOT / "data" / name).read_text().splitlines()
    return [(tokenizer(row["text"]).input_ids, NAMES.index(row["label"])) for row in map(json.loads, lines)]


def collate(rows, pad):
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [pad] * (longest - len(ids)) for ids, _ in rows])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows])
    return ids, mask, torch.tensor([label for _, label in rows])


def build(peft, total):
    base = load("SEQ_CLS", TINY)
    peft = dict(peft)
    kind = peft.pop("peft_type")
    if kind == "DEEP_PROMPT_TUNING":
        return DeepPrompts(base, peft["num_virtual_tokens"]), base, kind
    peft = {"deltaT" if name == "delta_t" else name: value for name, value in peft.items()}
    if kind == "ADALORA":
        peft["total_step"] = total
    return get_peft_model(base, PEFT_TYPE_TO_CONFIG_MAPPING[kind](task_type="SEQ_CLS", **peft)), base, kind


def run(method, seed, train, test, pad, rate):
    training = SETTINGS["training"]
    batch, epochs = training["per_device_train_batch_size"], training["num_train_epochs"]
    total = -(-len(train) // batch) * epochs
    torch.manual_seed(seed)
    model, base, kind = build(method["peft"], total)
    scores = []
    base.score.register_forward_hook(lambda _, given, out: scores.append(out))

    def logits(ids, mask):
        scores.clear()
        model(input_ids=ids, attention_mask=mask)
        [each] = scores  # of every position
        last = each.shape[1] - ids.shape[1] + mask.sum(1) - 1
        return each[torch.arange(len(ids)), last]

    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=training["weight_decay"])
    schedule = get_scheduler(training["lr_scheduler_type"], optimizer, 0, total)
    model.train()
    step, start = 0, time.perf_counter()
    for _ in range(epochs):
        order = get_length_grouped_indices([len(ids) for ids, _ in train], batch)
        for at in range(0, len(order), batch):
            ids, mask, labels = collate([train[row] for row in order[at:at + batch]], pad)
            loss = cross_entropy(logits(ids, mask), labels)
            if kind == "ADALORA":  # added by PEFT to losses of the model only
                loss = loss + penalty(model, method["peft"].get("orth_reg_weight", 0.5))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, training["max_grad_norm"])
            optimizer.step()
            schedule.step()
            step += 1
            if kind == "ADALORA":
                model.base_model.update_and_allocate(step)
    seconds = time.perf_counter() - start
    model.eval()
    with torch.no_grad():
        right = sum((logits(ids, mask).argmax(1) == labels).sum().item()
                    for ids, mask, labels in (collate(test[at:at + 16], pad) for at in range(0, len(test), 16)))
    return right / len(test), seconds


def penalty(model, weight):
    norms = [torch.norm((p @ p.T if "lora_A" in name else p.T @ p) - torch.eye(min(p.shape)))
             for name, p in model.named_parameters() if "lora_A" in name or "lora_B" in name]
    return weight * sum(norms) / len(norms)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--methods", nargs="+", default=list(SETTINGS["methods"]))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--validation", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(TINY)
    train, test = examples("sources.train.jsonl", tokenizer), examples("sources.test.jsonl", tokenizer)
    if options.validation:
        train, test = [row for at, row in enumerate(train) if at % 10 > 0], train[::10]
    for name in options.methods:
        for seed in options.seeds:
            method = SETTINGS["methods"][name]
            rate = options.rate or method["learning_rate"]
            accuracy, seconds = run(method, seed, train, test, tokenizer.pad_token_id, rate)
            print(json.dumps(dict(method=name, seed=seed, rate=rate, accuracy=round(accuracy, 4), seconds=round(seconds))), flush=True)


if __name__ == "__main__":
    main()
