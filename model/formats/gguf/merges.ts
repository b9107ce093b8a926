// The merges of a SentencePiece BPE vocabulary, which holds scores instead. Pure.
// Source: generate_merges in transformers/convert_slow_tokenizer.py.

interface Merge {
  readonly left: string
  readonly right: string
  readonly score: number
}

/**
 * Every way to make a token out of two, best score first; among equals longer left parts, then longer right ones, then
 * earlier tokens.
 */
export function mergesOf(tokens: readonly string[], scores: readonly number[]): string[][] {
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const merges: Merge[] = []
  for (const [token, id] of ids) {
    const local: Merge[] = []
    // parts are cut between characters, not between halves of one
    for (
      let at = token.codePointAt(0)! > 0xffff ? 2 : 1;
      at < token.length;
      at += token.codePointAt(at)! > 0xffff ? 2 : 1
    ) {
      const left = token.slice(0, at)
      const right = token.slice(at)
      if (ids.has(left) && ids.has(right)) local.push({ left, right, score: scores[id] ?? 0 })
    }
    local.sort((a, b) => ids.get(a.left)! - ids.get(b.left)! || ids.get(a.right)! - ids.get(b.right)!)
    merges.push(...local)
  }
  const length = (text: string) => [...text].length
  merges.sort((a, b) => b.score - a.score || length(b.left) - length(a.left) || length(b.right) - length(a.right))
  return merges.map(({ left, right }) => [left, right])
}
