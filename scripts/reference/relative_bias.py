"""Buckets of relative positions: test/reference/relative-bias.json. What transformers makes of every distance, run by run: [bucket, count]."""
import json
from itertools import groupby

import torch
from transformers.models.t5.modeling_t5 import T5Attention

from common import REFERENCE

SIZES = [(32, 128), (32, 256), (16, 64), (8, 20), (6, 11), (64, 512), (320, 800), (4, 3), (33, 100), (128, 4096)]

cases = []
for buckets, distance in SIZES:
    for both_ways in (True, False):
        distances = torch.arange(-distance - 40, distance + 41)
        values = T5Attention._relative_position_bucket(distances, both_ways, buckets, distance).tolist()
        runs = [[bucket, len(list(group))] for bucket, group in groupby(values)]
        cases.append(dict(buckets=buckets, maxDistance=distance, bothWays=both_ways, beyond=40, runs=runs))

path = REFERENCE / "relative-bias.json"
path.write_text(json.dumps(cases, separators=(",", ":")).replace('{"buckets"', '\n{"buckets"') + "\n")
