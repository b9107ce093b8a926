// Names of models as Ollama has them: with a tag, `:latest` where the gateway's has none.
import type { ModelRegistry } from '../models/registry.ts'
import type { Served, ServedModel } from '../models/served-model.ts'

const latest = ':latest'

/** The name with its tag. */
export const tagged = ({ id }: Served): string => (id.includes(':') ? id : `${id}${latest}`)

function idOf(models: ModelRegistry, name: string): string {
  const isTagged = name.endsWith(latest) && !models.list().some(({ id }) => id === name)
  return isTagged ? name.slice(0, -latest.length) : name
}

/** The model of a name with or without `:latest`, whatever it can do. Throws ApiError 404 for others. */
export const anyNamed = (models: ModelRegistry, name: string): Served => models.find(idOf(models, name))

/** The same of a model that writes text. Throws ApiError 400 for one that does not. */
export const modelNamed = (models: ModelRegistry, name: string): ServedModel => models.get(idOf(models, name))
