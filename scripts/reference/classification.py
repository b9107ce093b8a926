"""What the classification classes of transformers compute over the models of the families' scripts (run those before).

test/reference/classification.safetensors, for every model whose family has such a class:
`<model>.ids`, `.mask` (rows padded on the right) and for sequences and tokens, where there is a class, `<model>.<kind>.weight`,
`.bias` of a random head, `.labels`, `.logits`, `.loss`, `.grad_weight`.
"""
import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification

from common import REFERENCE
from family import FOLDER

LABELS, BATCH, LENGTH = 3, 2, 7
KINDS = {"sequence": AutoModelForSequenceClassification, "token": AutoModelForTokenClassification}


def head_of(model):
    return model.classifier if hasattr(model, "classifier") else model.score


def case(kind, auto, folder, ids, mask):
    config = AutoConfig.from_pretrained(folder, num_labels=LABELS, pad_token_id=0)
    if type(config) not in auto._model_mapping.keys():
        return {}
    # the grouped products of experts want widths that these small ones have not
    attention = "sdpa" if getattr(config, "alibi", False) else "eager"
    options = dict(experts_implementation="eager") if config.model_type == "mixtral" else {}
    model = auto.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation=attention, **options).eval()
    head = head_of(model)
    torch.nn.init.normal_(head.weight, std=0.5)
    if head.bias is not None:
        torch.nn.init.normal_(head.bias, std=0.5)
    labels = torch.randint(LABELS, (BATCH,) if kind == "sequence" else (BATCH, LENGTH))
    out = model(input_ids=ids, attention_mask=mask, labels=labels.masked_fill(mask == 0, -100) if kind == "token" else labels)
    out.loss.backward()
    values = dict(weight=head.weight, labels=labels.masked_fill(mask == 0, -100) if kind == "token" else labels[:, None],
                  logits=out.logits, loss=out.loss, grad_weight=head.weight.grad)
    return values | ({} if head.bias is None else dict(bias=head.bias))


def main():
    tensors = {}
    for seed, folder in enumerate(sorted(path for path in FOLDER.iterdir() if path.is_dir())):
        torch.manual_seed(seed)
        config = AutoConfig.from_pretrained(folder)
        ids = torch.randint(3, config.get_text_config().vocab_size, (BATCH, LENGTH))
        mask = torch.ones_like(ids)
        ids[1, -3:], mask[1, -3:] = 0, 0
        cases = {kind: case(kind, auto, folder, ids, mask) for kind, auto in KINDS.items()}
        print(folder.name, [kind for kind, values in cases.items() if values])
        tensors |= {f"{folder.name}.ids": ids, f"{folder.name}.mask": mask}
        tensors |= {f"{folder.name}.{kind}.{name}": value for kind, values in cases.items() for name, value in values.items()}
    save_file({name: value.detach().contiguous().clone() for name, value in tensors.items()}, REFERENCE / "classification.safetensors")


if __name__ == "__main__":
    main()
