"""Runs of Hugging Face's Trainer that end after 6 steps and go on from their last checkpoint as runs of 12.

test/reference/resume.json: for every schedule `rates`, `losses` (of all 12 steps) and `weights` (of the end). The model has one
parameter, six zeros: the logits of every position; the one example has the labels 5, 5, 2, 4.

The Trainer makes the first step after a resume with the rate that the old schedule left in the optimizer (0 after a whole
`linear` run) and follows the new schedule from the second on. Here the first follows it too, as in swarmtune.
"""
import json
import tempfile

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from common import REFERENCE

LABELS = [5, 5, 2, 4]
SCHEDULES = {
    "constant": ("constant", {}),
    "constant_with_warmup": ("constant_with_warmup", {"warmup_steps": 3}),
    "linear": ("linear", {"warmup_steps": 2}),
    "linear, warm-up by ratio": ("linear", {"warmup_steps": 0.3}),
    "cosine": ("cosine", {"warmup_steps": 2}),
    "cosine_with_restarts": ("cosine_with_restarts", {"lr_scheduler_kwargs": {"num_cycles": 2}}),
    "polynomial": ("polynomial", {"lr_scheduler_kwargs": {"power": 2.0}}),
}


class Unigram(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = torch.nn.Parameter(torch.zeros(6))

    def forward(self, labels):
        return {"loss": torch.nn.functional.cross_entropy(self.weights.expand(labels.numel(), -1), labels.flatten())}


class Record(TrainerCallback):
    def __init__(self):
        self.rates = []

    def on_train_begin(self, args, state, control, optimizer, lr_scheduler, **_):
        for group, rate in zip(optimizer.param_groups, lr_scheduler.lr_lambdas):
            group["lr"] = group["initial_lr"] * rate(state.global_step)

    def on_pre_optimizer_step(self, args, state, control, optimizer, **_):
        self.rates.append(optimizer.param_groups[0]["lr"])


def run(folder, steps, schedule, more, resume):
    arguments = TrainingArguments(folder, max_steps=steps, learning_rate=0.1, weight_decay=0.1, lr_scheduler_type=schedule,
                                  per_device_train_batch_size=1, save_steps=100, logging_steps=1, report_to=[], use_cpu=True, **more)
    model, record = Unigram(), Record()
    trainer = Trainer(model, arguments, train_dataset=[{"labels": LABELS}] * 4, callbacks=[record])
    trainer.train(resume_from_checkpoint=resume)
    return trainer, model, record.rates


def main():
    runs = {}
    for name, (schedule, more) in SCHEDULES.items():
        with tempfile.TemporaryDirectory() as folder:
            _, _, first = run(folder, 6, schedule, more, None)
            trainer, model, second = run(folder, 12, schedule, more, True)
            losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
            runs[name] = {"rates": first + second, "losses": losses, "weights": model.weights.tolist()}
    (REFERENCE / "resume.json").write_text(json.dumps(runs, indent=1) + "\n")


if __name__ == "__main__":
    main()
