// How texts become vectors by the modules of a model's folder, as sentence-transformers does it.
import { type CausalModel, DistributedModel } from '../../client/index.ts'
import { SwarmError } from '../../common/errors.ts'

export interface TextVectors {
  readonly model: DistributedModel
  /** numbers of a vector */
  readonly width: number
  /** tokens of a text, with the special tokens around it */
  readonly maxTokens: number
}

/** Throws BAD_CHECKPOINT and UNSUPPORTED for modules that cannot be read or are not known. */
export async function textVectors(model: DistributedModel): Promise<TextVectors> {
  return { model, ...(await model.sentenceSizes()) }
}

/** Of a causal model whose folder has modules.json: the same parts without the language head. Undefined: it has none. */
export async function vectorsOfCausal({ parts }: CausalModel): Promise<TextVectors | SwarmError | undefined> {
  if (!parts.checkpoint.folder.files.has('modules.json')) return undefined
  try {
    return await textVectors(new DistributedModel({ ...parts, head: parts.head.features() }))
  } catch (error) {
    // it still writes text; requests for vectors hear the reason
    if (error instanceof SwarmError) return error
    throw error
  }
}
