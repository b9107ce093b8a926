// Inputs that OpenAI's older endpoints take as texts or token ids, one or several.
import { z } from '@hono/zod-openapi'
import { invalid } from '../errors.ts'
import { encodePrompt, type ServedModel } from '../models/served-model.ts'

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

/** Throws ApiError 400 for an empty text, and for token ids that the vocabulary does not have. */
export function readInputs(input: z.infer<typeof textInput>, model: ServedModel, field: string): readonly TextInput[] {
  const { id, tokenizer } = model
  const isOne = typeof input === 'string' || typeof input[0] === 'number'
  const inputs = (isOne ? [input] : input) as readonly (string | readonly number[])[]
  return inputs.map((one, at): TextInput => {
    const param = isOne ? field : `${field}[${at}]`
    if (typeof one === 'string') {
      const ids = encodePrompt(model, one)
      if (one === '' || ids.length === 0) throw invalid(`${param}: expected a text, found an empty one`, param)
      return { ids, text: one, param }
    }
    const unknown = one.find(token => token >= tokenizer.vocabSize)
    if (unknown === undefined) return { ids: one, text: tokenizer.decode(one), param }
    throw invalid(
      `${param}: expected token ids below ${tokenizer.vocabSize}, the vocabulary of '${id}', found ${unknown}`,
      param
    )
  })
}
