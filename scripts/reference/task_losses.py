"""Losses of transformers' classes for tasks over small models of the families' scripts (run those before), with gradients.

test/reference/task-losses.safetensors, for `<model>.<kind>` of every model and kind: `.ids`, `.mask` (padded on either side), `.labels`,
`.logits`, `.loss`, `.grad.<tensor>` for the head and the embedding matrix, `.head.<tensor>` of a head that the folder lacks.
"""
import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import (AutoConfig, AutoModelForMaskedLM, AutoModelForQuestionAnswering, AutoModelForSequenceClassification,
                          AutoModelForTokenClassification, T5EncoderModel)

from common import REFERENCE

FAMILIES = REFERENCE / "families"
BATCH, LENGTH = 3, 6
# kind -> (class, labels of the head, problem type)
KINDS = {
    "many": (AutoModelForSequenceClassification, 2, "multi_label_classification"),
    "number": (AutoModelForSequenceClassification, 1, None),
    "numbers": (AutoModelForSequenceClassification, 3, "regression"),
    "one": (AutoModelForSequenceClassification, 3, None),
    "answers": (AutoModelForQuestionAnswering, 2, None),
    "masked": (AutoModelForMaskedLM, 2, None),
    "tokens": (AutoModelForTokenClassification, 3, None),
}
MODELS = ["bert", "distilbert", "roberta", "electra", "gpt2", "qwen3"]
# with an encoder and a decoder: what they learn beside the embedding matrix outside the blocks
STACKS = {"t5": ["encoder.final_layer_norm.weight", "decoder.final_layer_norm.weight"],
          "bart": ["model.encoder.layernorm_embedding.weight", "model.decoder.embed_positions.weight"],
          "mbart": ["model.encoder.layer_norm.bias", "model.decoder.layer_norm.weight"]}
BODIES = ("shared", "encoder", "decoder")


def labels_of(kind, mask, vocabulary):
    if kind == "many":
        return dict(labels=torch.randint(2, (BATCH, 2)).float())
    if kind == "number":
        return dict(labels=torch.randn(BATCH))
    if kind == "numbers":
        return dict(labels=torch.randn(BATCH, 3))
    if kind == "one":
        return dict(labels=torch.randint(3, (BATCH,)))
    if kind == "tokens":
        return dict(labels=torch.randint(3, (BATCH, LENGTH)).masked_fill(mask == 0, -100))
    if kind == "answers":  # places beyond the sequence are ignored
        return dict(start_positions=torch.tensor([1, LENGTH + 3, 3]), end_positions=torch.tensor([2, 2, LENGTH]))
    return dict(labels=torch.randint(vocabulary, (BATCH, LENGTH)).masked_fill((mask == 0) | (torch.rand(BATCH, LENGTH) < 0.5), -100))


def encoder_states():
    """Of T5's encoder alone, with the gradients of a weighted sum over the tokens."""
    torch.manual_seed(20)
    model = T5EncoderModel.from_pretrained(FAMILIES / "t5", dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.randint(5, model.config.vocab_size, (BATCH, LENGTH))
    mask = torch.ones_like(ids)
    mask[1, -2:] = 0
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weight = torch.randn_like(states) * mask[..., None]
    (states * weight).sum().backward()
    values = {"ids": ids, "mask": mask, "states": states, "weight": weight, "grad.embedding": model.shared.weight.grad,
              "grad.encoder.final_layer_norm.weight": model.encoder.final_layer_norm.weight.grad}
    return {f"t5.features.{n}": v.detach().contiguous().clone() for n, v in values.items()}


def main():
    tensors = {}
    for name in [*MODELS, *STACKS]:
        folder = FAMILIES / name
        for seed, (kind, (auto, labels, problem)) in enumerate(KINDS.items()):
            torch.manual_seed(seed)
            config = AutoConfig.from_pretrained(folder, num_labels=labels, problem_type=problem)
            # transformers finds the body of a Qwen3 for language only where a class for answers does not look
            if (kind == "tokens" and name not in STACKS) or (kind == "masked" and name in STACKS):
                continue
            if type(config) not in auto._model_mapping.keys() or (name, kind) == ("qwen3", "answers"):
                continue
            if config.pad_token_id is None:
                config.pad_token_id = 0
            model = auto.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager",
                                         ignore_mismatched_sizes=True).eval()
            ids = torch.randint(5, config.vocab_size, (BATCH, LENGTH))
            mask = torch.ones_like(ids)
            mask[1, -2:] = 0
            if name in ("gpt2", "qwen3"):  # encoders take the first place, padding or not
                mask[2, :2] = 0
            if name in STACKS:  # the head takes the state of the last end token
                ids[torch.arange(BATCH), mask.sum(-1) - 1] = config.eos_token_id
            ids = ids.masked_fill(mask == 0, config.pad_token_id)
            head = {n: p for n, p in model.named_parameters() if n.split(".")[0] not in (model.base_model_prefix, *BODIES)}
            if kind != "masked":
                for parameter in head.values():
                    torch.nn.init.normal_(parameter, std=0.4)
            given = labels_of(kind, mask, config.vocab_size)
            positions = {}
            if name in ("gpt2", "qwen3"):
                positions = dict(position_ids=(mask.cumsum(-1) - 1).clamp(min=0))
            out = model(input_ids=ids, attention_mask=mask, **positions, **given)
            loss = out.loss
            if kind == "answers":  # the class scores padding as a place for answers: a loss that depends on how far a batch is padded
                ends = [(out.start_logits, given["start_positions"]), (out.end_logits, given["end_positions"])]
                loss = sum(cross_entropy(scores.masked_fill(mask == 0, -1e30), places.masked_fill(places >= LENGTH, -100))
                           for scores, places in ends) / 2
            loss.backward()
            logits = out.logits if "logits" in out else torch.stack([out.start_logits, out.end_logits], -1)
            key = f"{name}.{kind}"
            embedding = model.get_input_embeddings().weight
            values = {"ids": ids, "mask": mask, "logits": logits, "loss": loss, "grad.embedding": embedding.grad}
            values |= {n: v for n, v in given.items()}
            parameters = {n.removeprefix("transformer."): p for n, p in model.named_parameters()}
            learned = {n: parameters[n] for n in STACKS.get(name, []) if n in parameters}
            values |= {f"grad.{n}": p.grad for n, p in learned.items()}
            for n, p in head.items():
                if p.grad is None:
                    continue
                values[f"grad.{n}"] = p.grad
                if kind != "masked":
                    values[f"head.{n}"] = p
            tensors |= {f"{key}.{n}": v.detach().contiguous().clone() for n, v in values.items()}
            print(key, round(loss.item(), 5), list(head))
    tensors |= encoder_states()
    save_file(tensors, REFERENCE / "task-losses.safetensors")


if __name__ == "__main__":
    main()
