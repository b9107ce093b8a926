"""AdamW steps, gradient clipping and learning rate schedules by torch and Hugging Face -> test/reference/optim.json."""
import json

import torch
from transformers import get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

from common import REFERENCE

STEPS = 12
SHAPES = {"matrix": (3, 4), "vector": (5,)}
SETTINGS = [
    dict(learningRate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weightDecay=0.01),
    dict(learningRate=5e-2, beta1=0.8, beta2=0.95, epsilon=1e-3, weightDecay=0.3),
    dict(learningRate=1e-2, beta1=0.0, beta2=0.99, epsilon=1e-8, weightDecay=0.0),
]
SCHEDULES = {
    "constant": lambda optimizer, warmup, total: get_constant_schedule_with_warmup(optimizer, warmup),
    "linear": get_linear_schedule_with_warmup,
    "cosine": get_cosine_schedule_with_warmup,
}


def flat(tensors):
    return {name: tensor.flatten().tolist() for name, tensor in tensors.items()}


def adamw(settings, generator):
    """`vector` has no gradient in every third step: torch then leaves it alone."""
    parameters = {name: torch.nn.Parameter(torch.randn(shape, generator=generator)) for name, shape in SHAPES.items()}
    optimizer = torch.optim.AdamW(
        parameters.values(), lr=settings["learningRate"], betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"], weight_decay=settings["weightDecay"])
    initial, gradients, values = flat(parameters), [], []
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        for name, parameter in parameters.items():
            if name == "matrix" or step % 3 != 1:
                parameter.grad = torch.randn(parameter.shape, generator=generator) * 10 ** (step % 4 - 2)
        gradients.append(flat({n: p.grad for n, p in parameters.items() if p.grad is not None}))
        optimizer.step()
        values.append(flat(parameters))
    return dict(settings=settings, initial=initial, gradients=gradients, values=values)


def clipping(max_norm, generator):
    parameters = {name: torch.nn.Parameter(torch.zeros(shape)) for name, shape in SHAPES.items()}
    for parameter in parameters.values():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    before = flat({name: parameter.grad for name, parameter in parameters.items()})
    norm = torch.nn.utils.clip_grad_norm_(parameters.values(), max_norm).item()
    after = flat({name: parameter.grad for name, parameter in parameters.items()})
    return dict(maxNorm=max_norm, norm=norm, before=before, after=after)


def rates(name, warmup, total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = SCHEDULES[name](optimizer, warmup, total)
    values = []
    for _ in range(total):
        values.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return dict(name=name, warmupSteps=warmup, totalSteps=total, learningRate=0.5, rates=values)


def main():
    generator = torch.Generator().manual_seed(1)
    reference = {
        "shapes": SHAPES,
        "adamw": [adamw(settings, generator) for settings in SETTINGS],
        "clipping": [clipping(max_norm, generator) for max_norm in (0.5, 1.0, 100.0)],
        "schedules": [rates(name, warmup, total) for name in SCHEDULES for warmup, total in ((0, 10), (4, 11), (1, 1))],
    }
    (REFERENCE / "optim.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
