"""Twenty AdamW steps of tuning methods over a random tiny T5 and BERT, for their tasks.

test/reference/stacks/t5, bert, t5-gated    the models
test/reference/stacks/runs/<model>-<task>-<name>.safetensors   as tuning.py and tasks.py write them, without the first gradients

By PEFT 0.21 but for three:
- prefix tuning of BERT, where PEFT 0.21 fails with transformers 5 (its report 2989), and of both stacks of T5, which PEFT does not have: the
  paper's form, keys and values before those of every self-attention, tokens numbered after them;
- deep prompts, which PEFT does not have.
Labels of tokens, and places of answers, are moved behind the virtual tokens here: PEFT leaves that to its users.
"""
import copy
import os
import shutil

import torch
from peft import (AdaLoraConfig, BOFTConfig, IA3Config, LNTuningConfig, LoHaConfig, LoKrConfig, OFTConfig, PrefixTuningConfig, PromptEncoderConfig,
                  PromptTuningConfig, VeraConfig, get_peft_model)
from safetensors.torch import save_file
from torch.nn.functional import pad
from transformers import (AutoConfig, AutoModel, AutoModelForQuestionAnswering, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification,
                          AutoModelForTokenClassification)
from transformers.models.bert.modeling_bert import BertPooler

from common import REFERENCE, ROOT
from family import fill
from tuning import BATCH, BATCHES, STEPS, follow

FOLDER = REFERENCE / "stacks"
LONGEST, ANSWER, VOCABULARY, LABELS, WIDTH, TOKENS = 8, 5, 40, 3, 16, 3
T5 = dict(d_model=WIDTH, d_kv=8, d_ff=24, num_layers=3, num_decoder_layers=3, num_heads=2, dropout_rate=0.0, decoder_start_token_id=0,
          relative_attention_num_buckets=8, relative_attention_max_distance=12)
MODELS = {
    "t5": T5 | dict(feed_forward_proj="relu"),
    "bert": dict(hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, hidden_dropout_prob=0.0,
                 attention_probs_dropout_prob=0.0, max_position_embeddings=32),
    "t5-gated": T5 | dict(feed_forward_proj="gated-gelu"),
}
CLASSES = {"SEQ_2_SEQ_LM": AutoModelForSeq2SeqLM, "SEQ_CLS": AutoModelForSequenceClassification, "TOKEN_CLS": AutoModelForTokenClassification,
           "QUESTION_ANS": AutoModelForQuestionAnswering, "FEATURE_EXTRACTION": AutoModel}
TASKS = {"t5": {"seq2seq": "SEQ_2_SEQ_LM"},
         "t5-gated": {"seq2seq": "SEQ_2_SEQ_LM"},
         "bert": {"seq-cls": "SEQ_CLS", "token-cls": "TOKEN_CLS", "questions": "QUESTION_ANS", "features": "FEATURE_EXTRACTION"}}
ADALORA = dict(init_r=3, target_r=2, lora_alpha=6, tinit=3, tfinal=5, deltaT=2, total_step=STEPS)
SHARED = {
    "prompt": (5e-2, lambda: PromptTuningConfig(num_virtual_tokens=TOKENS)),
    "p-tuning": (2e-2, lambda: PromptEncoderConfig(num_virtual_tokens=TOKENS, encoder_hidden_size=8)),
    "adalora": (2e-2, lambda: AdaLoraConfig(**ADALORA)),
    "ia3": (5e-2, lambda: IA3Config()),
    "loha": (2e-2, lambda: LoHaConfig(r=2, alpha=4)),
    "lokr": (2e-2, lambda: LoKrConfig(r=1, alpha=2)),
    "vera": (5e-2, lambda: VeraConfig(r=6)),
    "oft": (2e-2, lambda: OFTConfig(oft_block_size=4)),
    "boft": (2e-2, lambda: BOFTConfig(boft_block_size=4)),
}
METHODS = {
    # without kinks: rounding decides on which side of one an element lies, and gradients jump there; in larger steps PyTorch's own float32
    # leaves its float64 by more than 1e-4
    "t5-gated": {
        "p-tuning": (2e-3, SHARED["p-tuning"][1]),
        "p-tuning-lstm": (5e-4, lambda: PromptEncoderConfig(num_virtual_tokens=TOKENS, encoder_hidden_size=8,
                                                            encoder_reparameterization_type="LSTM")),
    },
    "t5": {name: method for name, method in SHARED.items() if name != "p-tuning"} | {
        "prefix": (5e-2, lambda: PrefixTuningConfig(num_virtual_tokens=TOKENS)),
        "prefix-projection": (2e-2, lambda: PrefixTuningConfig(num_virtual_tokens=TOKENS, encoder_hidden_size=8, prefix_projection=True)),
        "ln-tuning": (5e-2, lambda: LNTuningConfig()),
        "prefix-both": (5e-2, None),
    },
    "bert": SHARED | {
        "ln-tuning": (5e-2, lambda: LNTuningConfig(target_modules=["LayerNorm"])),
        "prefix": (5e-2, None),
        "deep-prompt": (5e-2, None),
    },
}


class Own(torch.nn.Module):
    """A model with what PEFT does not train; the head of a classification is trained beside it, as in PEFT."""

    def __init__(self, base, task):
        super().__init__()
        self.base = base.requires_grad_(False)
        for name in ("classifier", "qa_outputs"):
            if hasattr(base, name):
                getattr(base, name).requires_grad_(True)

    def named_parameters(self, *args, **options):
        for name, parameter in super().named_parameters(*args, **options):
            yield name.removeprefix("base."), parameter


class Before:
    """What an attention takes for the keys and values of earlier tokens."""

    def __init__(self, key, value):
        self.parts = key, value

    def get_seq_length(self, *_):
        return self.parts[0].shape[2]

    def update(self, key, value, *_, **__):
        return [torch.cat([own.expand(len(new), -1, -1, -1), new], 2) for own, new in zip(self.parts, (key, value))]


class Prefixes(Own):
    def __init__(self, base, task, attentions, heads):
        super().__init__(base, task)
        self.heads = heads
        self.prompt_embeddings = torch.nn.Parameter(torch.randn(TOKENS, len(attentions) * 2 * WIDTH))
        for block, attention in enumerate(attentions):
            attention.register_forward_pre_hook(lambda _, given, named, block=block: (given, self.extended(named, block)), with_kwargs=True)

    def extended(self, named, block):
        parts = self.prompt_embeddings.unflatten(1, (-1, self.heads, WIDTH // self.heads))[:, 2 * block:2 * block + 2]
        key, value = parts.permute(1, 2, 0, 3)[:, None]
        masks = {name: pad(named[name], (TOKENS, 0), value=True if named[name].dtype == torch.bool else 0)
                 for name in ("mask", "attention_mask") if named.get(name) is not None}
        return named | masks | {"cache": Before(key, value)}

    def forward(self, **inputs):
        if self.base.config.model_type == "bert":
            inputs["position_ids"] = torch.arange(TOKENS, TOKENS + inputs["input_ids"].shape[1])[None]
        return self.base(**inputs)


class DeepPrompts(Own):
    def __init__(self, base, task):
        super().__init__(base, task)
        layers = (base if task == "FEATURE_EXTRACTION" else base.bert).encoder.layer
        self.prompt_embeddings = torch.nn.Parameter(torch.randn(TOKENS, WIDTH))
        self.intermediate_prompt_embeddings = torch.nn.Parameter(torch.randn(TOKENS, len(layers) * WIDTH))
        for block, layer in enumerate(layers):
            layer.register_forward_pre_hook(lambda _, given, block=block: (self.add(given[0], block), *given[1:]))

    def add(self, hidden, block):
        prompt = self.intermediate_prompt_embeddings.unflatten(1, (-1, WIDTH))[:, block]
        return torch.cat([hidden[:, :TOKENS] + prompt, hidden[:, TOKENS:]], 1)

    def forward(self, input_ids, attention_mask, **inputs):
        rows = len(input_ids)
        hidden = torch.cat([self.prompt_embeddings.expand(rows, -1, -1), self.base.get_input_embeddings()(input_ids)], 1)
        mask = torch.cat([torch.ones(rows, TOKENS, dtype=torch.long), attention_mask], 1)
        return self.base(inputs_embeds=hidden, attention_mask=mask, **inputs)


def load(model, task):
    options = dict(dtype=torch.float32, attn_implementation="eager")
    config = AutoConfig.from_pretrained(FOLDER / model)
    if task in ("SEQ_CLS", "TOKEN_CLS"):
        config.num_labels = LABELS
    return CLASSES[task].from_pretrained(FOLDER / model, config=config, **options)


def tuned(model, task, name, make):
    torch.manual_seed(4)
    base = load(model, task)
    if make is not None:
        config = make()
        config.task_type = task
        return get_peft_model(base, config), config
    if name == "deep-prompt":
        return DeepPrompts(base, task), None
    if model == "bert":
        attentions = [layer.attention.self for layer in (base if task == "FEATURE_EXTRACTION" else base.bert).encoder.layer]
    else:
        attentions = [block.layer[0].SelfAttention for stack in (base.encoder, base.decoder) for block in stack.block]
    return Prefixes(base, task, attentions, 2), None


def batch(task, generator):
    """Rows of different lengths."""
    draw = lambda *bounds: torch.randint(*bounds, (1,), generator=generator).item()
    ids, mask = torch.zeros(BATCH, LONGEST, dtype=torch.long), torch.zeros(BATCH, LONGEST, dtype=torch.long)
    tags = torch.full((BATCH, LONGEST), -100)
    places, answers = torch.zeros(BATCH, 2, dtype=torch.long), torch.full((BATCH, ANSWER), -100)
    for row in range(BATCH):
        # transformers' loss of answers counts padding as places of answers; ours does not
        length = LONGEST if row == 0 or task == "QUESTION_ANS" else draw(4, LONGEST)
        ids[row, :length] = torch.randint(3, VOCABULARY, (length,), generator=generator)
        mask[row, :length] = 1
        tags[row, :length] = ids[row, :length] % LABELS
        places[row] = torch.tensor(sorted([draw(length), draw(length)]))
        answers[row, :3] = ids[row, :3].flip(0)
    labels = {"SEQ_2_SEQ_LM": answers, "SEQ_CLS": tags[:, :1], "TOKEN_CLS": tags}
    if task in labels:
        return dict(ids=ids, mask=mask, labels=labels[task])
    if task == "QUESTION_ANS":
        return dict(ids=ids, mask=mask, starts=places[:, :1], ends=places[:, 1:])
    return dict(ids=ids, mask=mask, targets=torch.randn(BATCH, WIDTH, generator=generator))


def loss_of(task, name, config):
    before = TOKENS if name in ("prompt", "p-tuning", "p-tuning-lstm", "deep-prompt") and task != "SEQ_2_SEQ_LM" else 0

    def loss(model, inputs):
        options = dict(input_ids=inputs["ids"], attention_mask=inputs["mask"])
        if task == "QUESTION_ANS":
            return model(**options, start_positions=inputs["starts"][:, 0] + before, end_positions=inputs["ends"][:, 0] + before).loss
        if task == "FEATURE_EXTRACTION":
            states = model(**options).last_hidden_state[:, before:]
            pooled = (states * inputs["mask"][..., None]).sum(1) / inputs["mask"].sum(1, keepdim=True)
            penalty = 0
            if name == "adalora":  # which PEFT adds to losses of the model only
                norms = [torch.norm(p @ p.T - torch.eye(len(p)) if "lora_A" in n else p.T @ p - torch.eye(p.shape[1]))
                         for n, p in model.named_parameters() if "lora_A" in n or "lora_B" in n]
                penalty = config.orth_reg_weight * sum(norms) / len(norms)
            return ((pooled - inputs["targets"]) ** 2).mean() + penalty
        labels = inputs["labels"].squeeze(1) if task == "SEQ_CLS" else inputs["labels"]
        return model(**options, labels=pad(labels, (before, 0), value=-100) if task == "TOKEN_CLS" else labels).loss

    return loss


def main():
    os.chdir(ROOT)
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "runs").mkdir(parents=True)
    for seed, (model, sizes) in enumerate(MODELS.items()):
        torch.manual_seed(seed)
        config = AutoConfig.for_model(model.removesuffix("-gated"), vocab_size=VOCABULARY, pad_token_id=0, **sizes)
        whole = AutoModelForQuestionAnswering if model == "bert" else AutoModelForSeq2SeqLM
        made = whole.from_config(config)
        fill(made)
        tensors = made.state_dict()
        if model == "bert":
            made.bert.pooler = BertPooler(config)
            fill(made.bert.pooler)
            tensors |= {f"bert.pooler.{name}": tensor for name, tensor in made.bert.pooler.state_dict().items()}
        made.save_pretrained(FOLDER / model, state_dict=tensors)
        (FOLDER / model / "generation_config.json").unlink(missing_ok=True)
        for kind, task in TASKS[model].items():
            for name, (rate, make) in METHODS[model].items():
                if kind == "questions" and name in ("ia3", "loha", "ln-tuning"):
                    continue  # some of their first gradients are rounding for the most part: nothing to compare
                adapted, config = tuned(model, task, name, make)
                generator = torch.Generator().manual_seed(6)
                batches = [batch(task, generator) for _ in range(BATCHES)]
                tensors = follow(adapted, rate, config, batches, loss_of(task, name, config))
                kept = {key: value.contiguous() for key, value in tensors.items()}
                save_file(kept, FOLDER / "runs" / f"{model}-{kind}-{name}.safetensors")
                print(model, kind, name, [round(loss, 3) for loss in tensors["losses"].tolist()][::6], len([k for k in kept if k.startswith("initial.")]))


if __name__ == "__main__":
    main()
