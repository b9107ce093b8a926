"""The modules that PEFT's IA3 changes by default, by model type: test/reference/ia3-modules.json."""
import json

from peft.utils import TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as FEEDFORWARD
from peft.utils import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as TARGETS

from common import REFERENCE

modules = {name: dict(targets=targets, feedforward=FEEDFORWARD[name]) for name, targets in TARGETS.items()}
(REFERENCE / "ia3-modules.json").write_text(json.dumps(modules, indent=1, sort_keys=True) + "\n")
