"""Vectors that sentence-transformers' modules make of hidden states, with the files of the modules:

    python sentence_vectors.py > ../../test/reference/sentence-vectors.json
"""
import json
import tempfile
from pathlib import Path

import torch
from sentence_transformers.sentence_transformer.modules import Dense, Pooling

torch.manual_seed(0)
STATES = torch.randn(1, 3, 2)
LEGACY = {"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True, "pooling_mode_cls_token": True}


def case(pooling, dense, width=None):
    """One vector, with config.json of the pooling, and config.json and tensors of the dense layer."""
    features = {"token_embeddings": STATES, "attention_mask": torch.ones(1, 3, dtype=torch.int64)}
    module = Pooling(2, **pooling) if "pooling_mode" in pooling else Pooling(2, pooling_mode=("cls", "max", "mean"))
    vector = module(features)["sentence_embedding"]
    parts = {"pooling": pooling}
    if dense is not None:
        layer = Dense(vector.shape[1], **dense)
        with tempfile.TemporaryDirectory() as folder:
            layer.save(folder)
            parts["dense"] = json.loads((Path(folder) / "config.json").read_text())
        parts["tensors"] = {name: value.tolist() for name, value in layer.state_dict().items()}
        vector = layer({"sentence_embedding": vector})["sentence_embedding"]
    return {**parts, "truncate": width, "vector": vector[0, :width].tolist()}


CASES = [
    case(LEGACY, None),
    case({"pooling_mode": ["mean", "cls"]}, None),
    case({"pooling_mode": ["weightedmean", "lasttoken", "mean_sqrt_len_tokens"]}, None, 5),
    case({"pooling_mode": "mean"}, {"out_features": 3, "use_residual": True}),
    case({"pooling_mode": "max"}, {"out_features": 2, "use_residual": True, "bias": False}),
    case({"pooling_mode": ["max", "mean"]}, {"out_features": 3, "activation_function": torch.nn.Identity()}, 2),
]
print(json.dumps({"states": STATES[0].tolist(), "cases": CASES}))
