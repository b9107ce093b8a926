"""What transformers' pipelines say of models/tiny-bert with heads from a seed -> test/reference/predictions.{json,safetensors}."""
import json

import torch
from safetensors.torch import save_file
from transformers import (AutoConfig, AutoModelForMaskedLM, AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer,
                          pipeline)

from common import REFERENCE

FOLDER = REFERENCE.parents[1] / "models" / "tiny-bert"
LABELS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TEXTS = ["Mr. Holmes of Baker Street remembered Switzerland.", "The unhappiness of Whitechapel!"]
STRATEGIES = ["none", "simple", "first", "average", "max"]


def main():
    torch.manual_seed(3)
    heads = {"classifier.weight": torch.randn(5, 128) / 2, "classifier.bias": torch.randn(5) / 4,
             "qa_outputs.weight": torch.randn(2, 128) / 4, "qa_outputs.bias": torch.zeros(2)}
    save_file(heads, REFERENCE / "predictions.safetensors")
    (REFERENCE / "predictions.safetensors").chmod(0o644)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    config = AutoConfig.from_pretrained(FOLDER, id2label=dict(enumerate(LABELS)), label2id={label: id for id, label in enumerate(LABELS)},
                                        num_labels=5)

    def load(auto, **more):
        model = auto.from_pretrained(FOLDER, dtype=torch.float32, attn_implementation="eager", **more).eval()
        for name, parameter in model.named_parameters():
            if name in heads:
                parameter.data.copy_(heads[name])
        return model

    tagger = load(AutoModelForTokenClassification, config=config)
    classifier = load(AutoModelForSequenceClassification, config=config)
    masked = load(AutoModelForMaskedLM)
    classify = pipeline("text-classification", model=classifier, tokenizer=tokenizer, top_k=None)
    fill = pipeline("fill-mask", model=masked, tokenizer=tokenizer)
    entities = {}
    for strategy in STRATEGIES:
        tag = pipeline("token-classification", model=tagger, tokenizer=tokenizer, aggregation_strategy=strategy)
        entities[strategy] = tag(TEXTS)
    mask = "It was a [MASK] day."
    states = masked.bert(**tokenizer(TEXTS[0], return_tensors="pt")).last_hidden_state
    reference = {"labels": LABELS, "texts": TEXTS, "classify": classify(TEXTS), "entities": entities, "mask": mask, "filled": fill(mask),
                 "vector": [round(value, 6) for value in states.mean(1)[0].tolist()]}
    text = json.dumps(reference, default=lambda value: value.item()) + "\n"
    (REFERENCE / "predictions.json").write_text(text)
    print(text[:3000])


if __name__ == "__main__":
    main()
