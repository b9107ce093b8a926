"""Smoothed losses and their gradients by Hugging Face's LabelSmoother -> test/reference/label-smoothing.json."""
import json

import torch
from transformers.trainer_pt_utils import LabelSmoother

from common import REFERENCE


def case(epsilon, shift, generator):
    logits = torch.randn(2, 5, 7, generator=generator, requires_grad=True)
    labels = torch.randint(0, 7, (2, 5), generator=generator)
    labels[0, :2] = -100
    labels[1, 4] = -100
    loss = LabelSmoother(epsilon=epsilon)({"logits": logits}, labels, shift_labels=shift)
    loss.backward()
    return dict(epsilon=epsilon, shift=shift, shape=list(logits.shape), logits=logits.flatten().tolist(),
                labels=labels.flatten().tolist(), loss=loss.item(), gradient=logits.grad.flatten().tolist())


def main():
    generator = torch.Generator().manual_seed(3)
    cases = [case(epsilon, shift, generator) for epsilon in (0.1, 0.5) for shift in (False, True)]
    (REFERENCE / "label-smoothing.json").write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
