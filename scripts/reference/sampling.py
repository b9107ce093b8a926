"""Hugging Face's logits processors, in the order in which generate() applies them -> test/reference/sampling.json."""
import json

import torch
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from common import REFERENCE

VOCABULARY = 40
CASES = [
    dict(repetitionPenalty=1.3),
    dict(repetitionPenalty=0.7),
    dict(temperature=0.6),
    dict(temperature=2.5),
    dict(topK=1),
    dict(topK=7),
    dict(topK=100),
    dict(topP=0.9),
    dict(topP=0.3),
    dict(topP=0.0),
    dict(topP=0.2, minTokensToKeep=5),
    dict(topK=2, minTokensToKeep=4),
    dict(repetitionPenalty=1.2, temperature=0.8, topK=12, topP=0.85),
    dict(repetitionPenalty=1.5, temperature=1.7, topK=5, topP=0.5, minTokensToKeep=2),
]


def processors(case):
    keep = case.get("minTokensToKeep", 1)
    chosen = LogitsProcessorList()
    if "repetitionPenalty" in case:
        chosen.append(RepetitionPenaltyLogitsProcessor(case["repetitionPenalty"]))
    if "temperature" in case:
        chosen.append(TemperatureLogitsWarper(case["temperature"]))
    if "topK" in case:
        chosen.append(TopKLogitsWarper(case["topK"], min_tokens_to_keep=keep))
    if "topP" in case:
        chosen.append(TopPLogitsWarper(case["topP"], min_tokens_to_keep=keep))
    return chosen


def values(scores):
    """JSON has no infinity: null stands for a token that was filtered out."""
    return [None if value == float("-inf") else value for value in scores.tolist()]


def main():
    generator = torch.Generator().manual_seed(2)
    rows = []
    for index, case in enumerate(CASES):
        for spread in (1.0, 6.0):
            logits = torch.randn(1, VOCABULARY, generator=generator) * spread
            if index == 5:
                logits = logits.round()  # ties at the border of the top k
            ids = torch.randint(0, VOCABULARY, (1, 9), generator=generator)
            scores = processors(case)(ids, logits.clone())[0]
            probabilities = torch.softmax(scores, dim=-1)
            rows.append(dict(options=case, ids=ids[0].tolist(), logits=logits[0].tolist(), scores=values(scores),
                             probabilities=probabilities.tolist()))
    (REFERENCE / "sampling.json").write_text(json.dumps(rows) + "\n")


if __name__ == "__main__":
    main()
