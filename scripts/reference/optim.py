"""Optimizer steps, clipping, learning rates, length grouping by torch and Hugging Face -> test/reference/optim.json."""
import json

import torch
from transformers.optimization import (
    Adafactor, get_constant_schedule, get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup,
    get_cosine_with_hard_restarts_schedule_with_warmup, get_linear_schedule_with_warmup,
    get_cosine_with_min_lr_schedule_with_warmup, get_inverse_sqrt_schedule, get_polynomial_decay_schedule_with_warmup)
from transformers.trainer_pt_utils import get_length_grouped_indices

from common import REFERENCE

STEPS = 12
SHAPES = {"matrix": (3, 4), "vector": (5,), "stack": (2, 3, 2)}
SETTINGS = [
    dict(learningRate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weightDecay=0.01),
    dict(learningRate=5e-2, beta1=0.8, beta2=0.95, epsilon=1e-3, weightDecay=0.3),
    dict(learningRate=1e-2, beta1=0.0, beta2=0.99, epsilon=1e-8, weightDecay=0.0),
]
SGD_SETTINGS = [
    dict(learningRate=1e-2),
    dict(learningRate=5e-2, momentum=0.9, dampening=0.1, weightDecay=0.3),
    dict(learningRate=5e-2, momentum=0.8, nesterov=True, weightDecay=0.01),
]
ADAFACTOR_SETTINGS = [
    dict(learningRate=1e-2),
    dict(learningRate=5e-2, weightDecay=0.3, clipThreshold=0.5, decayRate=-0.5),
    dict(learningRate=5e-2, weightDecay=0.1, scaleParameter=True),
]
# name -> function of (optimizer, warm-up, total), and settings beyond these
SCHEDULES = [
    ("constant", lambda optimizer, warmup, total: get_constant_schedule(optimizer), {}),
    ("constant_with_warmup", lambda optimizer, warmup, total: get_constant_schedule_with_warmup(optimizer, warmup), {}),
    ("linear", get_linear_schedule_with_warmup, {}),
    ("cosine", get_cosine_schedule_with_warmup, {}),
    ("cosine", lambda *args: get_cosine_schedule_with_warmup(*args, num_cycles=1.5), {"numCycles": 1.5}),
    ("cosine_with_restarts", get_cosine_with_hard_restarts_schedule_with_warmup, {}),
    ("cosine_with_restarts", lambda *args: get_cosine_with_hard_restarts_schedule_with_warmup(*args, num_cycles=3),
     {"numCycles": 3}),
    ("polynomial", get_polynomial_decay_schedule_with_warmup, {}),
    ("polynomial", lambda *args: get_polynomial_decay_schedule_with_warmup(*args, lr_end=1e-3, power=2.0),
     {"lrEnd": 1e-3, "power": 2.0}),
    ("inverse_sqrt", lambda optimizer, warmup, total: get_inverse_sqrt_schedule(optimizer, warmup), {}),
    ("inverse_sqrt", lambda optimizer, warmup, total: get_inverse_sqrt_schedule(optimizer, warmup, timescale=7),
     {"timescale": 7}),
    ("cosine_with_min_lr", lambda *args: get_cosine_with_min_lr_schedule_with_warmup(*args, min_lr=0.1), {"minLr": 0.1}),
    ("cosine_with_min_lr", lambda *args: get_cosine_with_min_lr_schedule_with_warmup(*args, min_lr_rate=0.3, num_cycles=1.5),
     {"minLrRate": 0.3, "numCycles": 1.5}),
]


def flat(tensors):
    return {name: tensor.flatten().tolist() for name, tensor in tensors.items()}


def run(make, settings, generator):
    """`vector` has no gradient in every third step: torch then leaves it alone."""
    parameters = {name: torch.nn.Parameter(torch.randn(shape, generator=generator)) for name, shape in SHAPES.items()}
    optimizer = make(parameters.values(), settings)
    initial, gradients, values = flat(parameters), [], []
    for step in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        for name, parameter in parameters.items():
            if name != "vector" or step % 3 != 1:
                parameter.grad = torch.randn(parameter.shape, generator=generator) * 10 ** (step % 4 - 2)
        gradients.append(flat({n: p.grad for n, p in parameters.items() if p.grad is not None}))
        optimizer.step()
        values.append(flat(parameters))
    return dict(settings=settings, initial=initial, gradients=gradients, values=values)


def adamw(parameters, settings):
    return torch.optim.AdamW(
        parameters, lr=settings["learningRate"], betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"], weight_decay=settings["weightDecay"])


def sgd(parameters, settings):
    return torch.optim.SGD(
        parameters, lr=settings["learningRate"], momentum=settings.get("momentum", 0),
        dampening=settings.get("dampening", 0), weight_decay=settings.get("weightDecay", 0),
        nesterov=settings.get("nesterov", False))


def adafactor(parameters, settings):
    return Adafactor(
        parameters, lr=settings["learningRate"], clip_threshold=settings.get("clipThreshold", 1.0),
        decay_rate=settings.get("decayRate", -0.8), weight_decay=settings.get("weightDecay", 0),
        scale_parameter=settings.get("scaleParameter", False), relative_step=False)


def grouping(count, batch_size, generator):
    """The permutation that Hugging Face draws, and the order that it makes of it."""
    lengths = torch.randint(1, 40, (count,), generator=generator).tolist()
    seed = count
    permutation = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    order = get_length_grouped_indices(lengths, batch_size, generator=torch.Generator().manual_seed(seed))
    return dict(lengths=lengths, batchSize=batch_size, permutation=permutation, order=order)


def clipping(max_norm, generator):
    parameters = {name: torch.nn.Parameter(torch.zeros(shape)) for name, shape in SHAPES.items()}
    for parameter in parameters.values():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    before = flat({name: parameter.grad for name, parameter in parameters.items()})
    norm = torch.nn.utils.clip_grad_norm_(parameters.values(), max_norm).item()
    after = flat({name: parameter.grad for name, parameter in parameters.items()})
    return dict(maxNorm=max_norm, norm=norm, before=before, after=after)


def rates(name, make, kwargs, warmup, total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    schedule = make(optimizer, warmup, total)
    values = []
    for step in range(total):
        values.append(schedule.get_last_lr()[0])
        optimizer.step()
        if step < total - 1:
            schedule.step()
    return dict(name=name, warmupSteps=warmup, totalSteps=total, learningRate=0.5, kwargs=kwargs, rates=values)


def main():
    generator = torch.Generator().manual_seed(1)
    reference = {
        "shapes": SHAPES,
        "adamw": [run(adamw, settings, generator) for settings in SETTINGS],
        "sgd": [run(sgd, settings, generator) for settings in SGD_SETTINGS],
        "adafactor": [run(adafactor, settings, generator) for settings in ADAFACTOR_SETTINGS],
        "grouping": [grouping(*sizes, generator) for sizes in ((7, 4), (64, 4), (61, 8), (1, 8))],
        "clipping": [clipping(max_norm, generator) for max_norm in (0.5, 1.0, 100.0)],
        "schedules": [rates(*kind, *sizes) for kind in SCHEDULES for sizes in ((0, 10), (4, 11), (1, 1))],
    }
    (REFERENCE / "optim.json").write_text(json.dumps(reference) + "\n")


if __name__ == "__main__":
    main()
