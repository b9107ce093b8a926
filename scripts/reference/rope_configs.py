"""Rotary angles of many config.json spellings, as transformers computes them.

  rope-configs.json    { positions, length, cases: [{ config, tables: { short, long }: [{ cos, sin }] | null }] }

Each table is that of one rotary embedding (two in Gemma 3: global blocks, local blocks), [positions, rotated / 2]: `short` in a
sequence that ends with the last position, `long` in one of `length` positions. Null where transformers fails.
"""
import json
import random
import warnings

import torch
from transformers import AutoConfig, AutoModel, logging

from common import REFERENCE

logging.set_verbosity_error()
warnings.simplefilter("ignore")
POSITIONS, LENGTH = [0, 1, 3, 7, 40], 150
HEAD = 16
SIZES = {
    "gpt_neox": dict(hidden_size=64, num_attention_heads=2, intermediate_size=32, vocab_size=8, num_hidden_layers=1),
    "falcon": dict(hidden_size=32, num_attention_heads=2, vocab_size=8, num_hidden_layers=1),
}
COMMON = dict(hidden_size=32, num_attention_heads=2, num_key_value_heads=1, head_dim=HEAD, intermediate_size=32, vocab_size=8,
              num_hidden_layers=1)
TYPES = ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "mixtral", "gpt_neox", "falcon"]
FACTORS = HEAD // 2


def scaling(rand, kind):
    some = lambda value: value if rand.random() < 0.5 else None
    fields = {"rope_theta": some(rand.choice([500.0, 1e6]))}
    if kind in ("linear", "dynamic"):
        fields["factor"] = rand.choice([1.0, 2, 4.0])
    if kind == "yarn":
        fields |= dict(factor=rand.choice([2.0, 4, 0.5]), original_max_position_embeddings=some(rand.choice([16, 32])),
                       beta_fast=some(rand.choice([16.0, 0])), beta_slow=some(2), truncate=some(False),
                       attention_factor=some(1.25), mscale=some(rand.choice([0.7, 0])), mscale_all_dim=some(rand.choice([1.1, 0])))
    if kind == "llama3":
        fields |= dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                       original_max_position_embeddings=some(rand.choice([16, 32])))
    if kind == "longrope":
        fields |= dict(short_factor=[1 + 0.25 * pair for pair in range(FACTORS)], long_factor=[2 + pair for pair in range(FACTORS)],
                       factor=some(4.0), attention_factor=some(1.5), original_max_position_embeddings=some(rand.choice([16, 64])))
    if kind == "proportional":
        fields |= dict(partial_rotary_factor=rand.choice([0.25, 0.5, 1.0]), factor=some(2.0))
    name = rand.choice(["rope_type", "rope_type", "type"])
    return {name: kind} | {key: value for key, value in fields.items() if value is not None}


def draw(rand, model_type):
    config = {"model_type": model_type, "max_position_embeddings": rand.choice([64, 128])} | SIZES.get(model_type, COMMON)
    kind = lambda: rand.choice(["default", "linear", "dynamic", "yarn", "llama3", "longrope", "proportional"])
    if model_type == "gpt_neox":
        if rand.random() < 0.7:
            config["rotary_pct"] = 0.5
        if rand.random() < 0.5:
            config["rotary_emb_base"] = 2000
    if rand.random() < 0.4:
        config["rope_theta"] = 3000.0
    if rand.random() < 0.35:
        config["original_max_position_embeddings"] = 48
    if model_type == "gemma3_text":
        config |= dict(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"])
        if rand.random() < 0.5:
            config["rope_local_base_freq"] = 700.0
        if rand.random() < 0.6:
            config["rope_parameters"] = {"full_attention": scaling(rand, kind()), "sliding_attention": scaling(rand, kind())}
        if rand.random() < 0.4:
            config["rope_scaling"] = scaling(rand, kind())
        return config
    if rand.random() < 0.6:
        config["rope_parameters"] = scaling(rand, kind())
    if rand.random() < 0.6:
        config["rope_scaling"] = rand.choice([scaling(rand, kind()), scaling(rand, kind()), None, {}])
    return config


def tables(config, length):
    """Of a fresh model: lengths seen before change what dynamic angles are."""
    fields = json.loads(json.dumps(config))
    model = AutoModel.from_config(AutoConfig.for_model(**fields))
    rotary = next(module for name, module in model.named_modules() if name.endswith("rotary_emb"))
    last = (length or POSITIONS[-1] + 1) - 1
    ids = torch.tensor([POSITIONS + [last]])
    types = ["full_attention", "sliding_attention"] if config["model_type"] == "gemma3_text" else [None]
    out = []
    for layer_type in types:
        cos, sin = rotary(torch.zeros(1), ids, **({} if layer_type is None else dict(layer_type=layer_type)))
        half = cos.shape[-1] // 2
        rows = lambda table: [[round(value, 6) for value in row] for row in table[0, :-1, :half].tolist()]
        out.append({"cos": rows(cos), "sin": rows(sin)})
        rotated = rotated_of(config)
        if 2 * half != rotated:
            raise ValueError(f"{2 * half} numbers of a head are rotated instead of {rotated}")
    return out


def rotated_of(config):
    if config["model_type"] != "gpt_neox":
        return HEAD
    chosen = config.get("rope_scaling") or config.get("rope_parameters") or {}
    head = config["hidden_size"] // config["num_attention_heads"]
    return int(head * chosen.get("partial_rotary_factor", config.get("rotary_pct", 0.25)))


rand = random.Random(11)
cases = []
for round_ in range(8):
    for model_type in TYPES:
        config = draw(rand, model_type)
        try:
            found = {"short": tables(config, None), "long": tables(config, LENGTH)}
            if found["long"] == found["short"]:
                found = {"short": found["short"]}
        except Exception as error:
            found = None
            print(model_type, {key: value for key, value in config.items() if "rop" in key or "rot" in key}, repr(error)[:150])
        cases.append({"config": config, "tables": found})
path = REFERENCE / "rope-configs.json"
path.write_text(json.dumps({"positions": POSITIONS, "length": LENGTH, "cases": cases}, separators=(",", ":")) + "\n")
print(path.stat().st_size, sum(case["tables"] is None for case in cases), "failed of", len(cases))
