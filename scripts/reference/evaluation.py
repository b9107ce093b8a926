"""Perplexity of models/tiny as transformers computes it, and the scores of scikit-learn for random predictions: evaluation.json.

usage: evaluation.py [language|classes], each in an environment that has what it needs; both write to the same file.
"""
import json
import math
import random
import sys
from pathlib import Path

root = Path(__file__).parents[2]
path = root / "test/reference/evaluation.json"


def language():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(root / "models/tiny", dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(root / "models/tiny")

    def summed(ids, counted):
        """Cross entropy of the tokens at the counted places, summed."""
        with torch.no_grad():
            scores = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        return -sum(scores[place - 1, ids[place]].item() for place in counted), len(counted)

    def total(parts):
        losses, counts = zip(*parts)
        loss = sum(losses) / sum(counts)
        return {"loss": loss, "perplexity": math.exp(loss), "tokens": sum(counts)}

    pairs = [json.loads(line) for line in (root / "data/capitals.jsonl").read_text().splitlines()]
    completions = []
    for pair in pairs:
        prompt = tokenizer(pair["prompt"]).input_ids
        answer = tokenizer(pair["completion"], add_special_tokens=False).input_ids + [tokenizer.eos_token_id]
        completions.append(summed(prompt + answer, range(len(prompt), len(prompt) + len(answer))))

    text = "\n".join(f'{pair["prompt"]}{pair["completion"]} It was a dark and stormy night.' for pair in pairs[:30])
    ids = tokenizer(text).input_ids
    length, stride = 128, 48
    windows, labelled = [], 0
    for start in range(0, len(ids), stride):
        end = min(start + length, len(ids))
        windows.append(summed(ids[start:end], range(max(1, labelled - start), end - start)))
        labelled = end
        if end == len(ids):
            break
    whole = total(windows)
    assert whole["tokens"] == len(ids) - 1
    return {
        "capitals": total(completions),
        "text": {"content": text, "length": length, "stride": stride, **whole},
    }


def classes():
    from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

    cases = []
    # class 3 is never expected; of the second case class 4 neither expected nor predicted
    for seed, expected_of, predicted_of in [(0, [0, 1, 2, 4], [0, 1, 2, 3, 4]), (1, [0, 1, 2], [0, 2, 3]), (2, [1], [1])]:
        draw = random.Random(seed)
        expected = [draw.choice(expected_of) for _ in range(60)]
        predicted = [label if draw.random() < 0.6 and label in predicted_of else draw.choice(predicted_of) for label in expected]
        labels = list(range(5))
        precision, recall, f1, support = precision_recall_fscore_support(expected, predicted, labels=labels, zero_division=0)
        cases.append(
            {
                "expected": expected,
                "predicted": predicted,
                "confusion": confusion_matrix(expected, predicted, labels=labels).tolist(),
                "accuracy": accuracy_score(expected, predicted),
                "macroF1": f1_score(expected, predicted, average="macro", zero_division=0),
                "classes": [
                    dict(zip(["precision", "recall", "f1", "support"], map(float, row)))
                    for row in zip(precision, recall, f1, support)
                ],
            }
        )
    return cases


def main():
    found = json.loads(path.read_text()) if path.exists() else {}
    for part in sys.argv[1:]:
        found[part] = {"language": language, "classes": classes}[part]()
    path.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
