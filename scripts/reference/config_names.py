"""The names that users of Transformers, TRL and PEFT know: fields of their configurations with defaults and types, optimizers, courses
of the learning rate. Writes test/reference/config-names.json."""

import dataclasses
import json
import warnings
from enum import Enum

import peft
import trl
from transformers import TrainingArguments
from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import SchedulerType
from transformers.training_args import OptimizerNames

from common import REFERENCE

warnings.simplefilter("ignore")


def plain(value):
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (set, tuple)):
        return list(value)
    try:
        json.dumps(value)
    except TypeError:
        return str(value)
    return value


def fields(config):
    found = {}
    for field in dataclasses.fields(config):
        default = field.default
        if default is dataclasses.MISSING:
            default = None if field.default_factory is dataclasses.MISSING else field.default_factory()
        found[field.name] = plain(default)
    return found


def steps(total, share):
    """Steps that a share of a run is, of save_steps and the like, and of the warm-up."""
    arguments = TrainingArguments(output_dir="none", use_cpu=True, save_steps=share, warmup_steps=share)
    state = TrainerState()
    state.compute_steps(arguments, total)
    return {"total": total, "share": share, "steps": state.save_steps, "warmup": arguments.get_warmup_steps(total)}


common = fields(TrainingArguments)
found = {
    "TrainingArguments": common,
    "SFTConfig": {name: value for name, value in fields(trl.SFTConfig).items() if name not in common or common[name] != value},
    "ModelConfig": fields(trl.ModelConfig),
    "ScriptArguments": fields(trl.ScriptArguments),
    "peft": {
        name: fields(getattr(peft, config))
        for name, config in {
            "LORA": "LoraConfig",
            "ADALORA": "AdaLoraConfig",
            "IA3": "IA3Config",
            "PROMPT_TUNING": "PromptTuningConfig",
            "PREFIX_TUNING": "PrefixTuningConfig",
            "P_TUNING": "PromptEncoderConfig",
        }.items()
    },
    "steps": [steps(total, share) for total in (6, 30, 101) for share in (0.03, 0.1, 0.5, 0.999)],
    "optimizers": [name.value for name in OptimizerNames],
    "schedules": [name.value for name in SchedulerType],
}
(REFERENCE / "config-names.json").write_text(json.dumps(found, indent=1) + "\n")
