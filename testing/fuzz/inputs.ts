// The inputs of a run: the same seed, target and index give the same input, on every machine.
import { createRandom } from '../../common/random.ts'
import { readCorpus } from './corpus.ts'
import { mutateBytes } from './mutate.ts'
import type { FuzzTarget } from './target.ts'

/** A number of a name, so that targets draw from streams of their own. */
const numberOf = (name: string): number => [...name].reduce((sum, char) => (sum * 31 + char.charCodeAt(0)) >>> 0, 7)

export type InputAt = (index: number) => Uint8Array

export async function inputsOf(target: FuzzTarget, seed: number): Promise<InputAt> {
  const seeds = [...(await target.seeds()), ...readCorpus(target.name).map(({ bytes }) => bytes)]
  return index => {
    if (index < seeds.length) return seeds[index]! // as they are, first
    const random = createRandom(seed, numberOf(target.name), index)
    const chosen = seeds[random.integer(seeds.length)]!
    const kind = target.mutate === undefined ? 0 : random.integer(4)
    const structured = kind === 0 ? chosen : target.mutate!(chosen, random)
    return kind >= 2 ? structured : mutateBytes(structured, random, seeds)
  }
}
