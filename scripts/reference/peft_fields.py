"""Every field of PEFT's configurations, with its default -> test/reference/peft-fields.json, by the names of the methods.

A new version of PEFT that brings a field is noticed when this is run again: a test compares the fields with our tables.
"""
import json
from dataclasses import MISSING, asdict, fields, is_dataclass

import peft

from common import REFERENCE

CONFIGS = {
    "ADALORA": peft.AdaLoraConfig,
    "IA3": peft.IA3Config,
    "LORA": peft.LoraConfig,
    "PREFIX_TUNING": peft.PrefixTuningConfig,
    "PROMPT_TUNING": peft.PromptTuningConfig,
    "P_TUNING": peft.PromptEncoderConfig,
}


def default_of(field):
    if field.default_factory is not MISSING:
        value = field.default_factory()
    else:
        value = None if field.default is MISSING else field.default
    return asdict(value) if is_dataclass(value) else getattr(value, "value", value)


def main():
    found = {name: {field.name: default_of(field) for field in sorted(fields(config), key=lambda field: field.name)}
             for name, config in CONFIGS.items()}
    text = json.dumps({"peft": peft.__version__, "fields": found}, indent=1)
    (REFERENCE / "peft-fields.json").write_text(text + "\n")
    print({name: len(each) for name, each in found.items()})


if __name__ == "__main__":
    main()
