"""Trains models/tiny-t5 and models/tiny-bert from scratch, on text that Debian's packages and data/ bring.

    mkdir text && cd text
    apt-get download bible-kjv bible-kjv-text r-cran-janeaustenr && for each in *.deb; do dpkg -x $each .; done
    python scripts/train_small_models.py text bert|t5 <folder for the model> [--threads 1] [--steps N]

The King James Bible, Jane Austen's six novels and the sentences of data/sources.train.jsonl are public domain. Seeds are fixed: one thread
and one release of PyTorch give the same weights again. Needs torch, transformers and tokenizers.

BERT learns masked words and whether the second of two sentences follows the first, as the original did. T5 learns its span corruption and,
for inputs that begin with "restore: ", the whole text of which words are hidden or left out: the part of BART's training that teaches it to copy.
"""
import argparse
import json
import math
import random
import time
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch.nn.functional import cross_entropy
from transformers import (BertConfig, BertForPreTraining, BertTokenizerFast, PreTrainedTokenizerFast, T5Config,
                          T5ForConditionalGeneration)

from small_text import novels, verses

ROOT = Path(__file__).parent.parent
VOCABULARY = 4096
SENTINELS = 32
STEPS = {"bert": 2500, "t5": 3000}
WARMUP = {"bert": 250, "t5": 300}
DECAY = {"bert": 625, "t5": 250}
BATCH = {"bert": 32, "t5": 48}


def addresses():
    rows = map(json.loads, (ROOT / "data/sources.train.jsonl").read_text().splitlines())
    return [row["text"] for row in rows if row["label"] != "scripture"]


def bert_tokenizer(texts, folder):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False))
    vocabulary = tokenizer.get_vocab()
    made = BertTokenizerFast(vocab=vocabulary, do_lower_case=False, model_max_length=256)
    made.save_pretrained(folder)
    return made


def t5_tokenizer(texts, folder):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    tokenizer.train_from_iterator(texts, trainers.UnigramTrainer(
        vocab_size=VOCABULARY - SENTINELS, special_tokens=special, unk_token="<unk>", show_progress=False))
    extra = [f"<extra_id_{index}>" for index in range(SENTINELS)]
    tokenizer.add_special_tokens(extra[::-1])  # as T5: the first sentinel has the last id
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
                                   extra_special_tokens=extra, model_max_length=256)
    made.save_pretrained(folder)
    return made


def padded(rows, value):
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


class Bert:
    def __init__(self, texts, folder, chance):
        self.tokenizer, self.random = bert_tokenizer(texts, folder), chance
        self.ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        self.model = BertForPreTraining(BertConfig(
            vocab_size=VOCABULARY, hidden_size=128, num_hidden_layers=4, num_attention_heads=4, intermediate_size=512, max_position_embeddings=256,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, pad_token_id=0))
        self.model.config.architectures = ["BertForMaskedLM"]
        self.rate = 1e-3

    def batch(self, rows):
        pieces, kinds, follows = [], [], []
        for first in rows:
            after = self.random.random() < 0.5
            second = first + 1 if after else self.random.randrange(len(self.ids))
            a, b = self.ids[first][:40], self.ids[min(second, len(self.ids) - 1)][:40]
            pieces.append([2, *a, 3, *b, 3])
            kinds.append([0] * (len(a) + 2) + [1] * (len(b) + 1))
            follows.append(0 if after else 1)
        ids, types = padded(pieces, 0), padded(kinds, 0)
        attention = torch.tensor([[1] * len(piece) + [0] * (ids.shape[1] - len(piece)) for piece in pieces])
        drawn = torch.rand(ids.shape)
        chosen = (drawn < 0.15) & (ids > 3)
        right = ids[chosen]
        how = torch.rand(right.shape)
        ids[chosen] = torch.where(how < 0.8, 4, torch.where(how < 0.9, torch.randint(5, VOCABULARY, right.shape), right))
        return ids, types, attention, chosen, right, torch.tensor(follows)

    def loss(self, rows):
        ids, types, attention, chosen, right, follows = self.batch(rows)
        states, pooled = self.model.bert(input_ids=ids, token_type_ids=types, attention_mask=attention)[:2]
        words = cross_entropy(self.model.cls.predictions(states[chosen]), right)
        order = cross_entropy(self.model.cls.seq_relationship(pooled), follows)
        return words + order, {"words": words.item(), "order": order.item()}


class T5:
    def __init__(self, texts, folder, chance):
        self.tokenizer, self.random = t5_tokenizer(texts, folder), chance
        self.ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        self.restore = self.tokenizer("restore:", add_special_tokens=False)["input_ids"]
        self.model = T5ForConditionalGeneration(T5Config(
            vocab_size=VOCABULARY, d_model=128, d_kv=32, d_ff=512, num_layers=3, num_decoder_layers=3, num_heads=4, dropout_rate=0.0,
            relative_attention_num_buckets=32, relative_attention_max_distance=64, feed_forward_proj="relu", decoder_start_token_id=0,
            tie_word_embeddings=True, pad_token_id=0, eos_token_id=1))
        self.rate = 2e-3

    def corrupt(self, ids):
        """T5's objective: a seventh of the tokens in spans of three on average, each span one sentinel."""
        given, asked, at, index = [], [], 0, 0
        while at < len(ids):
            if self.random.random() < 0.05 and index < SENTINELS - 1:
                size = self.random.randint(1, 5)
                sentinel = VOCABULARY - 1 - index
                given.append(sentinel)
                asked += [sentinel, *ids[at:at + size]]
                at, index = at + size, index + 1
            given += ids[at:at + 1]
            at += 1
        return given + [1], asked + [VOCABULARY - 1 - index, 1]

    def hide(self, ids):
        """What 'restore:' is given: some tokens hidden behind the first sentinel, some left out; what is asked is everything."""
        drawn = [self.random.random() for _ in ids]
        given = [VOCABULARY - 1 if draw < 0.05 else token for draw, token in zip(drawn, ids) if draw < 0.95 or draw > 0.97]
        return self.restore + given + [1], ids + [1]

    def loss(self, rows):
        made = []
        for row in rows:
            ids = self.ids[row]
            start = self.random.randrange(max(1, len(ids) - 32))
            part = ids[start:start + 32] if self.random.random() < 0.5 else ids[:32]
            made.append(self.corrupt(part) if self.random.random() < 0.25 else self.hide(part))
        given, labels = padded([source for source, _ in made], 0), padded([target for _, target in made], -100)
        attention = (given != 0).long()
        logits = self.model(input_ids=given, attention_mask=attention, labels=labels).logits
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        whole = torch.tensor([source[:len(self.restore)] == self.restore for source, _ in made])
        right = (logits.argmax(-1) == labels) & (labels >= 0)
        return loss, {"restored": (right[whole].sum() / (labels[whole] >= 0).sum()).item()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("kind", choices=["bert", "t5"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int)
    values = parser.parse_args()
    torch.set_num_threads(values.threads)
    torch.manual_seed(1)
    chance = random.Random(1)
    texts = verses(values.text) + novels(values.text) + addresses() * 4
    model = {"bert": Bert, "t5": T5}[values.kind](texts, values.folder, chance)
    print(f"{len(texts)} texts, {sum(map(len, model.ids))} tokens, "
          f"{sum(each.numel() for each in model.model.parameters())} parameters", flush=True)
    steps, batch = values.steps or STEPS[values.kind], BATCH[values.kind]
    optimizer = torch.optim.AdamW(model.model.parameters(), lr=model.rate, weight_decay=0.01, betas=(0.9, 0.98))
    warmup, decay = WARMUP[values.kind], DECAY[values.kind]
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1, (step + 1) / warmup) * min(1, max(0.02, (steps - step) / decay)))
    model.model.train()
    order, start, sums, done = [], time.perf_counter(), {}, 0
    kept = values.folder / "state.pt"
    if kept.exists():
        state = torch.load(kept, weights_only=False)
        done, order = state["step"], state["order"]
        model.model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        for _ in range(done):
            schedule.step()
        torch.set_rng_state(state["torch"])
        chance.setstate(state["chance"])
    for step in range(done + 1, steps + 1):
        if len(order) < batch:  # batches of similar lengths, in a random order
            shuffled = list(range(len(texts) - 1))
            chance.shuffle(shuffled)
            groups = [sorted(shuffled[at:at + batch * 50], key=lambda row: len(model.ids[row])) for at in range(0, len(shuffled), batch * 50)]
            batches = [group[at:at + batch] for group in groups for at in range(0, len(group), batch)]
            chance.shuffle(batches)
            order = [row for each in batches for row in each]
        rows, order = order[:batch], order[batch:]
        loss, parts = model.loss(rows)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        for name, value in {"loss": loss.item(), **parts}.items():
            sums[name] = sums.get(name, 0) + (0 if math.isnan(value) else value)
        if step % 100 == 0:
            print(json.dumps({"step": step, "of": steps, "seconds": round(time.perf_counter() - start),
                              **{name: round(value / 100, 4) for name, value in sums.items()}}), flush=True)
            sums = {}
        if step % 250 == 0 and step < steps:  # an interrupted training goes on from here
            torch.save({"step": step, "order": order, "model": model.model.state_dict(), "optimizer": optimizer.state_dict(),
                        "torch": torch.get_rng_state(), "chance": chance.getstate()}, kept)
    kept.unlink(missing_ok=True)
    model.model.to(torch.bfloat16).save_pretrained(values.folder)


main()
