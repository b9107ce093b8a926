"""The modules that PEFT's methods change by default, by model type: test/reference/default-modules.json."""
import json

from peft.utils import constants

from common import REFERENCE

METHODS = ["LORA", "LOHA", "LOKR", "VERA", "OFT", "BOFT", "ADALORA", "LNTUNING"]
tables = {name: getattr(constants, f"TRANSFORMERS_MODELS_TO_{name}_TARGET_MODULES_MAPPING") for name in METHODS}
(REFERENCE / "default-modules.json").write_text(json.dumps(tables, indent=1, sort_keys=True) + "\n")
