"""Writes the examples of two tasks in data/, from the text that scripts/train_small_models.py is trained on (it says how to get it).

    python scripts/make_task_data.py text

names.{train,test}.conll: sentences of Jane Austen's novels in which persons (PER) and places (LOC) are marked, by lists of names and by titles
before a name. modern.{train,test}.jsonl: verses of the King James Bible with the same in modern words: thou, hath, goeth, unto and others, by
rules. Training and test sentences differ, and no test verse is in a training book.
"""
import json
import random
import re
import sys
from pathlib import Path

from small_text import novels, verses

ROOT = Path(__file__).parent.parent
TITLES = {"Mr", "Mrs", "Miss", "Lady", "Sir", "Captain", "Colonel", "Dr", "Admiral", "Lord"}
PERSONS = set("""Elizabeth Jane Darcy Bingley Bennet Lizzy Lydia Kitty Collins Wickham Charlotte Lucas Gardiner Georgiana Emma Harriet Knightley Weston
Elton Frank Churchill Fairfax Bates Woodhouse Isabella Anne Elliot Wentworth Russell Musgrove Louisa Henrietta Charles Mary Walter Harville Benwick
Marianne Elinor Edward Willoughby Brandon Lucy Dashwood Ferrars Jennings Middleton Palmer Fanny Edmund Crawford Bertram Norris Tom Maria Julia
Rushworth Susan William Catherine Tilney Henry Isabella Thorpe Allen Eleanor Morland James John Robert Margaret Smith Croft Hurst Forster Philips""".split())
PLACES = set("""London Bath Netherfield Longbourn Meryton Pemberley Hertfordshire Derbyshire Rosings Kent Hunsford Brighton Highbury Hartfield Randalls
Donwell Surrey Richmond Ireland Uppercross Kellynch Lyme Barton Devonshire Norland Delaford Cleveland Mansfield Portsmouth Sotherton Northamptonshire
Northanger Fullerton England Yorkshire Weymouth Scotland Bristol Oxford Somersetshire""".split())
PLACE_ENDS = {"Park", "House", "Abbey", "Cottage", "Street", "Lodge", "Hall", "Square", "Hill"}


def tagged(sentence):
    words = re.findall(r"[A-Za-z]+(?:'[a-z]+)?|[^\sA-Za-z]", sentence)
    tags, at = ["O"] * len(words), 0
    while at < len(words):
        word, kind, end = words[at].removesuffix("'s"), None, at
        if word in TITLES:
            end = at + 1 + (words[at + 1:at + 2] == ["."])
            kind = "PER" if end < len(words) and re.match(r"[A-Z][a-z]+", words[end]) else None
        elif word in PERSONS:
            kind = "PER"
        elif word in PLACES:
            kind = "LOC"
        if kind is None:
            at += 1
            continue
        following = words[end + 1:end + 2]
        while following and following[0].removesuffix("'s") in (PERSONS if kind == "PER" else PLACE_ENDS):
            end += 1
            following = words[end + 1:end + 2]
        if kind == "PER" and following and following[0] in PLACE_ENDS:  # Mansfield Park, but also Norris House
            kind, end = "LOC", end + 1
        tags[at:end + 1] = [f"B-{kind}"] + [f"I-{kind}"] * (end - at)
        at = end + 1
    return words, tags


WORDS = {"thou": "you", "thee": "you", "ye": "you", "thy": "your", "thine": "your", "thyself": "yourself", "hath": "has", "doth": "does", "hast": "have",
         "shalt": "shall", "wilt": "will", "art": "are", "wast": "were", "hadst": "had", "didst": "did", "saith": "says", "unto": "to", "spake": "spoke",
         "canst": "can", "dost": "do", "brethren": "brothers", "begat": "fathered", "yea": "yes", "nay": "no", "cometh": "comes", "goeth": "goes",
         "maketh": "makes", "giveth": "gives", "knoweth": "knows", "taketh": "takes", "keepeth": "keeps", "loveth": "loves", "liveth": "lives"}


def modern(verse):
    def other(match):
        new = WORDS.get(match[0].lower())
        return match[0] if new is None else new.capitalize() if match[0][0].isupper() else new

    return re.sub(r"[A-Za-z]+", other, verse)


def main():
    text, chance = Path(sys.argv[1]), random.Random(4)
    rows = [tagged(sentence) for sentence in novels(text) if 40 < len(sentence) < 130]
    named = [row for row in rows if any(tag != "O" for tag in row[1])]
    plain = [row for row in rows if all(tag == "O" for tag in row[1])]
    chosen = chance.sample(named, 1000) + chance.sample(plain, 250)
    chance.shuffle(chosen)
    for name, part in {"train": chosen[:1000], "test": chosen[1000:]}.items():
        body = "\n".join("".join(f"{word} {tag}\n" for word, tag in zip(*row)) for row in part)
        (ROOT / f"data/names.{name}.conll").write_text(body)
    lines = list(dict.fromkeys(verses(text)))
    old = [(place, verse) for place, verse in enumerate(lines) if 30 < len(verse) < 90 and modern(verse) != verse]
    test = [verse for place, verse in old if place > 27500]  # from the letters to the end
    train = [verse for place, verse in old if place < 27000]
    for name, part in {"train": chance.sample(train, 1600), "test": chance.sample(test, 150)}.items():
        (ROOT / f"data/modern.{name}.jsonl").write_text("".join(
            json.dumps({"source": verse, "target": modern(verse)}, ensure_ascii=False) + "\n" for verse in part))


main()
