"""Asks Hugging Face's Rust library which code points it has in which class, and writes where JavaScript differs.

    python scripts/reference/unicode_classes.py        # needs node on the path; writes model/text/tokenization/unicode-differences.ts
"""

import json
import subprocess
from pathlib import Path

from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P

ROOT = Path(__file__).parents[2]
POINTS = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000]


def removed_by(normalizer):
    return [c for c in POINTS if normalizer.normalize_str("a" + chr(c)) == "a"]


def changed_by(normalizer):
    return {c: text for c in POINTS if (text := normalizer.normalize_str("a" + chr(c))) != "a" + chr(c)}


SCRIPT = r"""
const found = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const points = []
for (let c = 0x80; c < 0x110000; c++) if (c < 0xd800 || c >= 0xe000) points.push(c)
const ranges = list => {
  const out = []
  for (const c of list) {
    const last = out.at(-1)
    if (last && last[1] === c - 1) last[1] = c
    else out.push([c, c])
  }
  return out.map(([a, b]) => a.toString(16) + (a === b ? '' : '-' + b.toString(16))).join(' ')
}
const classes = { nonspacingMark: /\p{Mn}/u, combiningMark: /\p{M}/u, punctuation: /\p{P}/u, control: /[\p{Cc}\p{Cf}\p{Co}\ufffd]/u }
const differences = Object.entries(classes).map(([name, expression]) => {
  const theirs = new Set(found[name])
  const ours = c => expression.test(String.fromCodePoint(c))
  return [name, ranges(points.filter(c => ours(c) && !theirs.has(c))), ranges(points.filter(c => !ours(c) && theirs.has(c)))]
})
const unnormalized = points.filter(c => ['NFD', 'NFKC', 'NFKD'].some(form => {
  const text = 'a' + String.fromCodePoint(c)
  return (found[form][c] ?? text) !== text.normalize(form)
}))
differences.push(['normalization', ranges(unnormalized), ''])
const wrap = text => {
  const lines = ['']
  for (const range of text.split(' ')) {
    if ((lines.at(-1) + ' ' + range).length > 100) lines.push(range)
    else lines[lines.length - 1] += (lines.at(-1) === '' ? '' : ' ') + range
  }
  return lines.map((line, at) => `'${line}${at < lines.length - 1 ? ' ' : ''}'`).join(' +\n    ')
}
console.log(differences.map(([name, lacks, adds]) =>
  `export const ${name}Difference: ClassDifference = {\n  lacks:\n    ${wrap(lacks)},\n  adds: ${wrap(adds)}\n}`).join('\n\n'))
"""


def main():
    found = {
        "nonspacingMark": removed_by(N.BertNormalizer(False, False, True, False)),
        "combiningMark": removed_by(N.StripAccents()),
        "punctuation": [c for c in POINTS if len(P.Punctuation().pre_tokenize_str("a" + chr(c) + "b")) > 1],
        "control": removed_by(N.BertNormalizer(True, False, False, False)),
        **{form: changed_by(getattr(N, form)()) for form in ["NFD", "NFKC", "NFKD"]},
    }
    body = subprocess.run(["node", "-e", SCRIPT], input=json.dumps(found), capture_output=True, text=True, check=True).stdout
    target = ROOT / "model/text/tokenization/unicode-differences.ts"
    head = target.read_text().split("export const")[0]
    target.write_text(head + body)


main()
