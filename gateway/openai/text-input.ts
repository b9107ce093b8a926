// Inputs that OpenAI's older endpoints take as texts or token ids, one or several.
import { setImmediate } from 'node:timers/promises'
import { z } from '@hono/zod-openapi'
import { KiB } from '../../common/units.ts'
import { invalid } from '../errors.ts'
import { farTooLong, isFarTooLong } from '../models/prompt-room.ts'
import type { Served } from '../models/served-model.ts'

const tokenIds = z.array(z.int().min(0)).min(1)

/** One text, several, one list of token ids, or several. */
export const textInput = z.union([z.string(), z.array(z.string()).min(1), tokenIds, z.array(tokenIds).min(1)], {
  error: 'expected a text, texts, token ids, or lists of token ids, and none of them empty'
})

export interface TextInput {
  readonly ids: readonly number[]
  readonly text: string
  /** `input[1]` */
  readonly param: string
}

/** Characters after which others have their turn: hundreds of texts take seconds. */
const charactersATurn = 64 * KiB

/** Throws ApiError 400 for an empty text, one that is far too long, and for token ids that the vocabulary does not have. */
export async function readInputs(
  input: z.infer<typeof textInput>,
  model: Pick<Served, 'id' | 'tokenizer' | 'contextLength'>,
  { field, encode }: { readonly field: string; readonly encode: (text: string) => Promise<readonly number[]> }
): Promise<readonly TextInput[]> {
  const { id, tokenizer } = model
  const isOne = typeof input === 'string' || typeof input[0] === 'number'
  const inputs = (isOne ? [input] : input) as readonly (string | readonly number[])[]
  const read = async (one: string | readonly number[], at: number): Promise<TextInput> => {
    const param = isOne ? field : `${field}[${at}]`
    if (typeof one === 'string') {
      if (isFarTooLong(model, [one])) throw farTooLong(model, param)
      const ids = await encode(one)
      if (one === '' || ids.length === 0) throw invalid(`${param}: expected a text, found an empty one`, param)
      return { ids, text: one, param }
    }
    const unknown = one.find(token => token >= tokenizer.vocabSize)
    if (unknown === undefined) return { ids: one, text: tokenizer.decode(one), param }
    throw invalid(
      `${param}: expected token ids below ${tokenizer.vocabSize}, the vocabulary of '${id}', found ${unknown}`,
      param
    )
  }
  const all: TextInput[] = []
  let characters = 0
  for (const [at, one] of inputs.entries()) {
    all.push(await read(one, at))
    characters += one.length
    if (characters < charactersATurn) continue
    characters = 0
    await setImmediate()
  }
  return all
}
