"""Ids and token types by the tokenizer classes of encoders over small vocabularies: test/reference/encoder-tokenizers.json."""
import json

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import BertTokenizer, DebertaV2Tokenizer, MPNetTokenizer, RobertaTokenizer, XLMRobertaTokenizer

from common import REFERENCE

SENTENCES = json.loads((REFERENCE / "tokenizer-kinds.json").read_text())["texts"][:17]
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def train(model, pre, trainer):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return json.loads(tokenizer.to_str())["model"]


def pieces(special, unknown):
    trainer = trainers.UnigramTrainer(vocab_size=420, special_tokens=special, unk_token=unknown, show_progress=False)
    return [tuple(entry) for entry in train(models.Unigram(), pre_tokenizers.Metaspace(), trainer)["vocab"]]


def words(special, unknown):
    trainer = trainers.WordPieceTrainer(vocab_size=420, special_tokens=special, show_progress=False)
    return train(models.WordPiece(unk_token=unknown), pre_tokenizers.BertPreTokenizer(), trainer)["vocab"]


def byte_pairs():
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=ROBERTA, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    model = train(models.BPE(), pre_tokenizers.ByteLevel(), trainer)
    return dict(vocab=model["vocab"], merges=[tuple(pair) for pair in model["merges"]])


TOKENIZERS = {
    "bert uncased": lambda: BertTokenizer(vocab=words(BERT, "[UNK]"), do_lower_case=True),
    "bert cased": lambda: BertTokenizer(vocab=words(BERT, "[UNK]"), do_lower_case=False),
    "mpnet": lambda: MPNetTokenizer(vocab=words(ROBERTA + ["[UNK]"], "[UNK]")),
    "roberta": lambda: RobertaTokenizer(**byte_pairs()),
    "roberta with a first space": lambda: RobertaTokenizer(**byte_pairs(), add_prefix_space=True),
    "deberta v3": lambda: DebertaV2Tokenizer(vocab=pieces(BERT, "[UNK]"), unk_id=1),
    "xlm-roberta": lambda: XLMRobertaTokenizer(vocab=pieces(ROBERTA, "<unk>")),
}

if __name__ == "__main__":
    rows = []
    for name, make in TOKENIZERS.items():
        tokenizer = make()
        mask = tokenizer.mask_token
        texts = [f"The quick{mask} brown {mask} fox.", "", "  two  spaces\tand\nlines ", "naïve ÉTÉ ½ ①", "快速的fox 速い", "don't, isn't!",
                 f"{tokenizer.sep_token} x {tokenizer.cls_token}", "a\u0000b\u200bc 😀", "unbelievablylongwordthatnobodywrites " * 3]
        pairs = [[texts[0], texts[3]], # transformers takes an empty second text for none
                 [texts[4], "."], ["", texts[5]], [SENTENCES[0], SENTENCES[1]]]
        encoded = [tokenizer(first, second, return_token_type_ids=True) for first, second in pairs]
        rows.append(dict(
            name=name, tokenizer=json.loads(tokenizer.backend_tokenizer.to_str()), texts=texts, ids=[tokenizer(text)["input_ids"] for text in texts],
            pairs=pairs, pairIds=[each["input_ids"] for each in encoded], pairTypes=[each["token_type_ids"] for each in encoded]))
    path = REFERENCE / "encoder-tokenizers.json"
    path.write_text(json.dumps(rows, ensure_ascii=False) + "\n")
    print(path.stat().st_size)
