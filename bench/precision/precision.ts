// What do 8 and 4 bits an element cost in quality? Perplexity on a held-out text and greedy agreement, beside float32.
//   node bench/precision/precision.ts [folder=models/tiny] [threads=2]
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { type Precision, precisions } from '../../model/quantize/precision.ts'
import { loadTokenizer } from '../../model/text/tokenizer.ts'
import { type LocalBlocks, loadBlocks, loadEnds, type ModelEnds } from '../tools/local-model.ts'

const [folder = 'models/tiny', threads = '2'] = process.argv.slice(2)
const windowTokens = 256
const generated = 32
const prompts = 12
const promptTokens = 16

const checkpoint = await openCheckpoint(resolve(folder))
const tokenizer = await loadTokenizer(checkpoint.path)
const text = await readFile(new URL('../held-out.txt', import.meta.url), 'utf8')
const ids = tokenizer.encode(text, { addSpecialTokens: false })
/** what the tokenizer puts before every text: a window without it is none that the model was trained on */
const beginning = tokenizer.encode('')
const ends = await loadEnds(checkpoint, Number(threads))

function argmax(scores: Float32Array): number {
  return scores.reduce((best, score, id) => (score > scores[best]! ? id : best), 0)
}

function logProbability(scores: Float32Array, id: number): number {
  const most = scores.reduce((a, b) => Math.max(a, b))
  return scores[id]! - most - Math.log(scores.reduce((sum, score) => sum + Math.exp(score - most), 0))
}

async function logitsOf({ embed, head }: ModelEnds, blocks: LocalBlocks, window: readonly number[]) {
  const { data, shape } = await head(await blocks.step(await embed(window, 0), 0))
  return Array.from(window, (_, row) => data.subarray(row * shape[2]!, (row + 1) * shape[2]!))
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** How far chance alone moves the mean of what each token's loss grew by: one standard error. */
function standardError(losses: readonly number[], reference: readonly number[]): number {
  const grown = losses.map((loss, i) => loss - reference[i]!)
  const middle = mean(grown)
  return Math.sqrt(mean(grown.map(value => (value - middle) ** 2)) / grown.length)
}

/** exp of the mean negative log probability of each token of a window after its first. */
async function perplexity(blocks: LocalBlocks): Promise<{ value: number; losses: number[]; choices: number[] }> {
  const losses: number[] = []
  const choices: number[] = []
  for (let start = 0; start + 1 < ids.length; start += windowTokens) {
    const window = [...beginning, ...ids.slice(start, start + windowTokens)]
    const rows = await logitsOf(ends, blocks, window)
    for (let i = Math.max(0, beginning.length - 1); i + 1 < window.length; i++) {
      losses.push(-logProbability(rows[i]!, window[i + 1]!))
      choices.push(argmax(rows[i]!))
    }
  }
  return { value: Math.exp(mean(losses)), losses, choices }
}

async function continuations(blocks: LocalBlocks): Promise<number[][]> {
  const all: number[][] = []
  for (let prompt = 0; prompt < prompts; prompt++) {
    const start = Math.floor((prompt * (ids.length - promptTokens)) / prompts)
    let next = [...beginning, ...ids.slice(start, start + promptTokens)]
    const made: number[] = []
    for (let past = 0; made.length < generated; ) {
      const hidden = await blocks.step(await ends.embed(next, past), past)
      past += next.length
      const { data, shape } = await ends.head(hidden)
      next = [argmax(data.subarray(data.length - shape[2]!))]
      made.push(next[0]!)
    }
    all.push(made)
  }
  return all
}

const share = (a: readonly number[], b: readonly number[]): number =>
  a.filter((id, index) => id === b[index]).length / a.length

interface Result {
  readonly value: number
  readonly losses: number[]
  readonly choices: number[]
  readonly made: number[][]
  readonly bytes: number
}

const results: Partial<Record<Precision, Result>> = {}
for (const precision of precisions) {
  const init = {
    precision,
    threads: Number(threads),
    storage: 'prepacked',
    capacity: windowTokens + beginning.length
  } as const
  const blocks = await loadBlocks(checkpoint, init)
  const { bytes } = blocks
  results[precision] = { ...(await perplexity(blocks)), made: await continuations(blocks), bytes }
  await blocks.release()
}
const reference = results.float32!
console.log(`${checkpoint.name}: ${ids.length} tokens of held-out.txt in windows of ${windowTokens}`)
for (const precision of precisions) {
  const { value, losses, choices, made, bytes } = results[precision]!
  const percent = (part: number): string => `${(100 * part).toFixed(2)} %`
  console.log(
    `${precision.padEnd(8)} perplexity ${value.toFixed(4)} (${percent(value / reference.value - 1)}, chance ${percent(standardError(losses, reference.losses))})  file ${percent(bytes / reference.bytes)}  ` +
      `same next token ${percent(share(choices, reference.choices))}  ` +
      `same ${generated} greedy tokens ${made.filter((row, i) => share(row, reference.made[i]!) === 1).length} of ${prompts}, ` +
      `${percent(share(made.flat(), reference.made.flat()))} of tokens`
  )
}
