"""The public-domain text of the small models in models/ and of the examples in data/, from the files of three Debian packages."""
import re
import struct
import subprocess
import zlib


def verses(folder):
    """The verses of the Bible in order."""
    program = folder / "usr/bin/bible"
    text = subprocess.run([program, "-f", "-p", str(folder / "usr/lib"), "gen1:1-rev22:21"], capture_output=True, text=True).stdout
    found = [match[1].strip() for match in re.finditer(r"^\S+ ?\S*\d+:\d+ (.*)$", text, re.M)]
    assert len(found) > 31000, f"the program bible printed {len(found)} verses, expected 31,102"
    return [re.sub(r"\s+", " ", verse) for verse in found]


def novels(folder):
    """The sentences of Jane Austen's novels in order, from R's file of compressed objects: each a vector of lines."""
    data = (folder / "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb").read_bytes()
    at, sentences = 0, []
    while at < len(data):
        inflate = zlib.decompressobj()
        raw = inflate.decompress(data[at + 4:])
        at = len(data) - len(inflate.unused_data)
        place = 14 + struct.unpack(">I", raw[14:18])[0] + 4
        count, lines = struct.unpack(">I", raw[place + 4:place + 8])[0], []
        place += 8
        for _ in range(count):
            size = struct.unpack(">I", raw[place + 4:place + 8])[0]
            lines.append(raw[place + 8:place + 8 + size].decode())
            place += 8 + size
        text = re.sub(r"_|\s+", lambda found: "" if found[0] == "_" else " ", " ".join(lines)).replace("--", " - ")
        text = re.sub(r"CHAPTER \w+|Chapter \d+|VOLUME \w+", " ", text)
        parts = re.split(r"(?<=[.!?][\"”'’]) +(?=[\"“A-Z])|(?<!Mr)(?<!Mrs)(?<!Dr)(?<!St)(?<=[.!?]) +(?=[\"“A-Z])", text)
        sentences += [re.sub(r"\s+", " ", part).strip() for part in parts if 10 < len(part) < 400]
    return sentences
