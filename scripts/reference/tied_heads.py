"""Models that say that their head is their embedding (`tie_word_embeddings`), whatever their files hold, as transformers loads them.

  tied-heads.json    { ids, cases: [{ model, tied, stored, dtype, logits }] }

`model` is a folder of families/. `stored`: `differ` (the head is what `head_of` makes of the embedding), `equal`, `head` (the embedding
is stored as the head alone), `embedding`, `last-row` (the head differs from the embedding in the last number only), `half` (the head is
the embedding in float16). Logits are those of the last position.
"""
import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, logging

from common import REFERENCE

logging.set_verbosity_error()
IDS = [1, 5, 9, 3, 7, 2]
NAMES = {
    "gpt2": ("transformer.wte.weight", "lm_head.weight"),
    "bloom": ("transformer.word_embeddings.weight", "lm_head.weight"),
    "opt": ("model.decoder.embed_tokens.weight", "lm_head.weight"),
    "opt-350m": ("model.decoder.embed_tokens.weight", "lm_head.weight"),
    "gpt_neox": ("gpt_neox.embed_in.weight", "embed_out.weight"),
    "falcon-7b": ("transformer.word_embeddings.weight", "lm_head.weight"),
}
MODELS = ["qwen3", "gpt2", "bloom", "opt", "opt-350m", "gpt_neox", "falcon-7b", "gemma2", "gemma3", "mixtral"]


def head_of(embedding):
    """Its rows the other way round, halved."""
    return (embedding.flip(0) * 0.5).contiguous()


def logits(model, tied, stored):
    embedding_name, head_name = NAMES.get(model, ("model.embed_tokens.weight", "lm_head.weight"))
    source = REFERENCE / "families" / model
    tensors = {}
    for file in sorted(source.glob("*.safetensors")):
        tensors |= load_file(file)
    tensors = {name: value.float() for name, value in tensors.items()}
    embedding = next(tensors.pop(name) for name in list(tensors) if embedding_name.endswith(name))
    tensors.pop(head_name, None)
    if stored != "head":
        tensors[embedding_name] = embedding
    if stored in ("head", "equal"):
        tensors[head_name] = embedding.clone()
    if stored == "differ":
        tensors[head_name] = head_of(embedding)
    if stored == "half":
        tensors[embedding_name] = embedding.half().float()
        tensors[head_name] = embedding.half()
    if stored == "last-row":
        tensors[head_name] = embedding.clone()
        tensors[head_name][-1, -1] += 1
    with tempfile.TemporaryDirectory() as folder:
        config = json.loads((source / "config.json").read_text()) | dict(tie_word_embeddings=tied)
        (Path(folder) / "config.json").write_text(json.dumps(config))
        save_file(tensors, Path(folder) / "model.safetensors", metadata={"format": "pt"})
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        with torch.no_grad():
            return [round(value, 6) for value in loaded(torch.tensor([IDS])).logits[0, -1].tolist()]


cases = [(model, True, "differ") for model in MODELS]
cases += [("qwen3", True, stored) for stored in ("equal", "head", "embedding", "last-row", "half")]
cases += [("opt-350m", True, "head"), ("gpt_neox", True, "head"), ("qwen3", False, "differ"), ("qwen3", False, "equal")]
path = REFERENCE / "tied-heads.json"
rows = [dict(model=model, tied=tied, stored=stored, logits=logits(model, tied, stored)) for model, tied, stored in cases]
path.write_text(json.dumps(dict(ids=IDS, cases=rows), separators=(",", ":")) + "\n")
print(path.stat().st_size)
