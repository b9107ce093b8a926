// The models that the gateway answers for, by name. Knows no dialect.
import { suggestion } from '../../common/names.ts'
import { ApiError } from '../errors.ts'
import { currentMeter } from './meter.ts'
import type { ServedModel } from './served-model.ts'

export class ModelRegistry {
  readonly #models = new Map<string, ServedModel>()

  add(model: ServedModel): void {
    this.#models.set(model.id, model)
  }

  remove(id: string): void {
    this.#models.delete(id)
  }

  /** Those that are listed, in the order in which they were added. */
  list(): readonly ServedModel[] {
    return [...this.#models.values()].filter(({ isUnlisted = false }) => !isUnlisted)
  }

  /** Throws ApiError 404 `model_not_found`, with the names that there are. */
  get(id: string): ServedModel {
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
}
