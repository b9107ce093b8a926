"""How transformers tokenizes conversations, completions, words and continuations of a SentencePiece-style tokenizer.

    python scripts/reference/answers.py

Writes test/reference/sentence-piece/answers.json beside the tokenizer of 45 tokens that it is about.
"""
import json

from transformers import AutoTokenizer

from common import REFERENCE

FOLDER = REFERENCE / "sentence-piece"

INST = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{% generation %}{{ ' ' + message['content'] + ' ' + eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
)
CHATS = [
    [("user", "Hi"), ("assistant", "Yes")],
    [("user", "Hi"), ("assistant", " Yes  Hi"), ("user", "e"), ("assistant", "Yes")],
    [("user", "  Hi "), ("assistant", "é Yes")],
]
COMPLETIONS = [("Hi", " Yes"), ("Hi", "Yes"), ("Hi ", "Yes"), ("Hi", "  Yes"), ("", "Yes"), ("", " Yes"), ("Hi\n", "Yes"), ("Hié", " é"), ("Hi</s>", "Yes"), ("Hi</s>", " Yes")]
WORDS = [["Hi", "Yes"], ["Yes", "(", "Hi", ")", "é"], ["e"]]
CONTINUATIONS = [("Hi", [" Yes", " Yes"]), ("Hi", ["Yes"]), ("", [" Yes"]), ("Hi</s>", [" Yes", "</s>", " Yes"]), ("é", [" é"])]


def main():
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    chats = []
    for source in [tokenizer.chat_template, INST]:
        for turns in CHATS:
            messages = [{"role": role, "content": content} for role, content in turns]
            out = tokenizer.apply_chat_template(messages, chat_template=source, return_assistant_tokens_mask=True, return_dict=True)
            chats.append({"template": source, "messages": messages, "ids": out["input_ids"], "mask": out["assistant_masks"]})
    completions = []
    for prompt, completion in COMPLETIONS:
        # as TRL: the whole text, and as many tokens as it shares with the prompt's
        whole, asked = tokenizer(prompt + completion)["input_ids"], tokenizer(prompt)["input_ids"]
        shared = 0
        while shared < min(len(whole), len(asked)) and whole[shared] == asked[shared]:
            shared += 1
        completions.append({"prompt": prompt, "completion": completion, "ids": whole, "asked": len(asked), "shared": shared})
    words = []
    for row in WORDS:
        out = tokenizer(row, is_split_into_words=True)
        words.append({"words": row, "ids": out["input_ids"], "of": out.word_ids()})
    continuations = []
    for prompt, parts in CONTINUATIONS:
        before = tokenizer(prompt)["input_ids"]
        ids = tokenizer(prompt + "".join(parts))["input_ids"][len(before):]
        text = tokenizer.decode(before + ids, skip_special_tokens=True)[len(tokenizer.decode(before, skip_special_tokens=True)):]
        continuations.append({"prompt": before, "ids": ids, "text": text})
    result = {"chats": chats, "completions": completions, "words": words, "continuations": continuations}
    (FOLDER / "answers.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")


main()
