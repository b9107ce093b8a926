"""Default target modules of LoRA and AdaLoRA by model type, from PEFT's constants."""
import json

from peft.utils import constants

from common import REFERENCE

MAPPINGS = {"lora": constants.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING,
            "adalora": constants.TRANSFORMERS_MODELS_TO_ADALORA_TARGET_MODULES_MAPPING}

if __name__ == "__main__":
    path = REFERENCE / "lora-modules.json"
    path.write_text(json.dumps(MAPPINGS, indent=1, sort_keys=True) + "\n")
