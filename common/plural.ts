// Counted nouns in sentences: `1 server`, `2 servers`.

/**
 * The count and its noun in the right number: `plural(1, 'peer')` is `1 peer`, `plural(0, 'reply', 'replies')` is `0 replies`,
 * `plural(1024, 'token')` is `1,024 tokens`.
 * @param many the plural form; default: the noun with an `s`
 */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${count.toLocaleString('en', { maximumFractionDigits: 2 })} ${count === 1 ? noun : many}`
}
