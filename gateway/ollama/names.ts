// Names of models as Ollama has them: with a tag, `:latest` where the gateway's has none.
import type { ModelRegistry } from '../models/registry.ts'
import type { ServedModel } from '../models/served-model.ts'

const latest = ':latest'

/** The name with its tag. */
export const tagged = ({ id }: ServedModel): string => (id.includes(':') ? id : `${id}${latest}`)

/** The model of a name with or without `:latest`. Throws ApiError 404 for others. */
export function modelNamed(models: ModelRegistry, name: string): ServedModel {
  const isTagged = name.endsWith(latest) && !models.list().some(({ id }) => id === name)
  return models.get(isTagged ? name.slice(0, -latest.length) : name)
}
