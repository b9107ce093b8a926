// The models that the gateway answers for, by name. Knows no dialect.
import { suggestion } from '../../common/names.ts'
import { ApiError } from '../errors.ts'
import { currentMeter } from './meter.ts'
import { canGenerate, type Served, type ServedEmbedder, type ServedModel } from './served-model.ts'

/** What an embedder is, and what it does not do. */
export function describeEmbedder({ id, model }: ServedEmbedder): string {
  const { modelType, stacks } = model.config
  return stacks?.length === 2
    ? `model '${id}' is an encoder-decoder model (${modelType}), of which the API serves the encoder's vectors only`
    : `model '${id}' is an encoder (${modelType}), which writes no text`
}

/** 400 for a request that asks an embedder for text. */
function writesNoText(served: ServedEmbedder): ApiError {
  const text = served.model.config.stacks?.length === 2 ? '; swarm generate and the SDK write text with it' : ''
  return new ApiError(
    `${describeEmbedder(served)}: POST /v1/embeddings (or /api/embed) gives vectors of texts${text}`,
    { status: 400, code: 'model_not_supported', param: 'model' }
  )
}

export class ModelRegistry {
  readonly #models = new Map<string, Served>()

  add(model: Served): void {
    this.#models.set(model.id, model)
  }

  remove(id: string): void {
    this.#models.delete(id)
  }

  /** Those that are listed, in the order in which they were added. */
  list(): readonly Served[] {
    return [...this.#models.values()].filter(({ isUnlisted = false }) => !isUnlisted)
  }

  /** Whatever it can do. Throws ApiError 404 `model_not_found`, with the names that there are. */
  find(id: string): Served {
    const model = this.#models.get(id)
    if (model !== undefined) {
      currentMeter()?.named(id)
      return model
    }
    const names = this.list().map(served => served.id)
    throw new ApiError(`model '${id}' is not served here${suggestion(id, names)}; GET /v1/models lists what is`, {
      status: 404,
      type: 'invalid_request_error',
      code: 'model_not_found',
      param: 'model'
    })
  }

  /** A model that writes text. Throws as `find`, and ApiError 400 `model_not_supported` for one that does not. */
  get(id: string): ServedModel {
    const served = this.find(id)
    if (canGenerate(served)) return served
    throw writesNoText(served)
  }
}
