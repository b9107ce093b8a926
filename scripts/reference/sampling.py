"""Hugging Face's logits processors, in the order in which generate() applies them -> test/reference/sampling.json, and those that a
generation_config.json may ask for beside them -> test/reference/processors.json."""
import json

import torch
from transformers import (
    EpsilonLogitsWarper,
    EtaLogitsWarper,
    ForcedBOSTokenLogitsProcessor,
    ForcedEOSTokenLogitsProcessor,
    LogitsProcessorList,
    MinLengthLogitsProcessor,
    MinNewTokensLengthLogitsProcessor,
    MinPLogitsWarper,
    NoBadWordsLogitsProcessor,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensAtBeginLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
    TypicalLogitsWarper,
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

# where the row is: tokens of its prompt, most tokens after it, end tokens
PROMPT, MOST_NEW, ENDS = 5, 5, [3, 17]
MORE = [
    dict(noRepeatNgramSize=1),
    dict(noRepeatNgramSize=2),
    dict(noRepeatNgramSize=3),
    dict(noRepeatNgramSize=40),
    dict(badWordsIds=[[4], [8, 9], [1, 2, 11], [3]]),
    dict(minLength=10),
    dict(minLength=9),
    dict(minNewTokens=5),
    dict(minNewTokens=4),
    dict(forcedEosTokenId=6),
    dict(forcedEosTokenId=[6, 7]),
    dict(suppressTokens=[0, 5, 39]),
    dict(beginSuppressTokens=[2, 3]),
    dict(minP=0.05),
    dict(minP=0.4, minTokensToKeep=3),
    dict(typicalP=0.9),
    dict(typicalP=0.2, minTokensToKeep=2),
    dict(epsilonCutoff=0.02),
    dict(epsilonCutoff=0.3, minTokensToKeep=2),
    dict(etaCutoff=0.02),
    dict(etaCutoff=0.3, minTokensToKeep=2),
    dict(repetitionPenalty=1.3, noRepeatNgramSize=2, badWordsIds=[[4]], minNewTokens=9, suppressTokens=[1], temperature=0.7, topK=20,
         topP=0.95, minP=0.01, typicalP=0.95, epsilonCutoff=0.001, etaCutoff=0.001),
]


def more_processors(case):
    """In the order of GenerationMixin._get_logits_processor."""
    keep = case.get("minTokensToKeep", 1)
    make = {
        "repetitionPenalty": RepetitionPenaltyLogitsProcessor,
        "noRepeatNgramSize": NoRepeatNGramLogitsProcessor,
        "badWordsIds": lambda words: NoBadWordsLogitsProcessor(words, torch.tensor(ENDS)),
        "minLength": lambda length: MinLengthLogitsProcessor(length, torch.tensor(ENDS)),
        "minNewTokens": lambda tokens: MinNewTokensLengthLogitsProcessor(PROMPT, tokens, torch.tensor(ENDS)),
        "forcedBosTokenId": ForcedBOSTokenLogitsProcessor,
        "forcedEosTokenId": lambda token: ForcedEOSTokenLogitsProcessor(PROMPT + MOST_NEW, token),
        "suppressTokens": SuppressTokensLogitsProcessor,
        "beginSuppressTokens": lambda tokens: SuppressTokensAtBeginLogitsProcessor(tokens, PROMPT),
        "temperature": TemperatureLogitsWarper,
        "topK": lambda k: TopKLogitsWarper(k, min_tokens_to_keep=keep),
        "topP": lambda p: TopPLogitsWarper(p, min_tokens_to_keep=keep),
        "minP": lambda p: MinPLogitsWarper(p, min_tokens_to_keep=keep),
        "typicalP": lambda p: TypicalLogitsWarper(p, min_tokens_to_keep=keep),
        "epsilonCutoff": lambda p: EpsilonLogitsWarper(p, min_tokens_to_keep=keep),
        "etaCutoff": lambda p: EtaLogitsWarper(p, min_tokens_to_keep=keep),
    }
    return LogitsProcessorList([make[name](case[name]) for name in make if name in case])


def more(generator):
    rows = []
    for case in MORE:
        lengths = [1, PROMPT] if "beginSuppressTokens" in case else [9]
        for length in lengths:
            logits = (torch.randn(1, VOCABULARY, generator=generator) * 2).round(decimals=3)
            ids = torch.randint(0, 6 if "noRepeatNgramSize" in case else VOCABULARY, (1, length), generator=generator)
            if "badWordsIds" in case:
                ids[0, -2:] = torch.tensor([1, 2] if "minP" not in case else [7, 8])
            scores = more_processors(case)(ids, logits.clone())[0]
            rows.append(dict(options=case, ids=ids[0].tolist(), logits=logits[0].tolist(), scores=values(scores)))
    logits = (torch.randn(1, VOCABULARY, generator=generator) * 2).round(decimals=3)
    case, ids = dict(forcedBosTokenId=12), torch.tensor([[9]])
    rows.append(dict(options=case, ids=[9], logits=logits[0].tolist(), scores=values(more_processors(case)(ids, logits)[0])))
    return dict(promptLength=PROMPT, maxNewTokens=MOST_NEW, eosTokenIds=ENDS, rows=rows)


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
    (REFERENCE / "processors.json").write_text(json.dumps(more(generator)) + "\n")


if __name__ == "__main__":
    main()
