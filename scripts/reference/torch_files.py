"""PyTorch checkpoint files of the reference models, and files that are none: test/reference/torch/.

  narrow.bin         bfloat16, names of the base model (without `model.`), tied head left out
  views.bin          float32 `grouped`: weights that are views: transposed, cut out of one storage, of a nn.Parameter, under `state_dict`
  scaled/            float16 in two shards with an index
  code.bin           a pickle that would run a command
  compressed.bin     narrow.bin with deflated entries
"""
import collections
import json
import os
import zipfile

import torch
from transformers import AutoModelForCausalLM

from common import REFERENCE

OUT = REFERENCE / "torch"


def state_dict(name):
    return AutoModelForCausalLM.from_pretrained(REFERENCE / name, dtype="auto").state_dict()


class Code:
    def __reduce__(self):
        return os.system, ("touch /tmp/swarmtune-code-was-run",)


(OUT / "scaled").mkdir(parents=True, exist_ok=True)
narrow = {k.removeprefix("model."): v for k, v in state_dict("narrow").items() if k != "lm_head.weight"}
torch.save(narrow, OUT / "narrow.bin")

grouped = state_dict("grouped")
views = collections.OrderedDict()
for name, value in grouped.items():
    if name.endswith("q_proj.weight"):
        views[name] = value.t().contiguous().t()
    elif name.endswith("gate_proj.weight"):
        fused = torch.cat([value, grouped[name.replace("gate", "up")]])
        views[name], views[name.replace("gate", "up")] = fused[: len(value)], fused[len(value):]
    elif name.endswith("norm.weight"):
        views[name] = torch.nn.Parameter(value.clone())
    elif not name.endswith("up_proj.weight"):
        views[name] = value
torch.save({"state_dict": views, "steps": 3, "note": "not a tensor", "rate": 0.5, "done": True}, OUT / "views.bin")

scaled = state_dict("scaled")
shards = [{}, {}]
for index, name in enumerate(sorted(scaled)):
    shards[index % 2][name] = scaled[name].clone()
weight_map = {}
for index, shard in enumerate(shards):
    file = f"pytorch_model-{index + 1:05}-of-00002.bin"
    torch.save(shard, OUT / "scaled" / file)
    weight_map |= dict.fromkeys(shard, file)
index = {"metadata": {}, "weight_map": weight_map}
(OUT / "scaled" / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1))

torch.save({"model.norm.weight": torch.zeros(4), "evil": Code()}, OUT / "code.bin")
with zipfile.ZipFile(OUT / "narrow.bin") as source, zipfile.ZipFile(OUT / "compressed.bin", "w", zipfile.ZIP_DEFLATED) as target:
    for entry in source.infolist():
        target.writestr(entry.filename, source.read(entry))
