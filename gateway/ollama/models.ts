// Ollama's endpoints about models: what there is, what each is, and what only Ollama itself can do to them.
import { createRoute, z } from '@hono/zod-openapi'
import { version } from '../../common/version.ts'
import { ApiError, invalid } from '../errors.ts'
import type { Routes } from '../http/api.ts'
import { canGenerate, type Served } from '../models/served-model.ts'
import { refused } from '../openai/fields.ts'
import { anyNamed, tagged } from './names.ts'

const tags = ['Ollama']

/** The release of Ollama whose API this is: clients ask for one that is new enough for tools and thinking. */
const ollamaVersion = '0.12.0'

/** When a model that is never unloaded expires: Ollama writes such a date for `keep_alive: -1`. */
const never = '2318-12-31T00:00:00Z'

const details = z.object({
  parent_model: z.string(),
  format: z.enum(['safetensors', 'gguf']),
  family: z.string(),
  families: z.array(z.string()),
  parameter_size: z.string(),
  quantization_level: z.string()
})

const listed = z
  .object({
    name: z.string(),
    model: z.string(),
    modified_at: z.string(),
    size: z.int(),
    digest: z.string(),
    details
  })
  .openapi('OllamaModel')

/** `1234567` -> `1.2M` */
function shortNumber(count: number): string {
  for (const [unit, size] of [
    ['B', 1e9],
    ['M', 1e6],
    ['K', 1e3]
  ] as const) {
    if (count >= size) return `${(count / size).toFixed(count >= 100 * size ? 0 : 1)}${unit}`
  }
  return String(count)
}

/** What the files of a model say of it. */
function measuresOf({ model }: Served) {
  const { tensors } = model.parts.checkpoint
  let parameters = 0
  let bytes = 0
  const kinds = new Map<string, number>()
  for (const { shape, length, dtype, encoding } of tensors.values()) {
    parameters += shape.reduce((product, size) => product * size, 1)
    bytes += length
    const kind = encoding?.quantization ?? dtype
    kinds.set(kind, (kinds.get(kind) ?? 0) + length)
  }
  const [precision] = [...kinds].toSorted(([, a], [, b]) => b - a)[0] ?? ['']
  return { parameters, bytes, precision }
}

const names: Readonly<Record<string, string>> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' }

function detailsOf(served: Served): z.infer<typeof details> {
  const { parameters, precision } = measuresOf(served)
  const { config, parts } = served.model
  return {
    parent_model: served.baseId ?? '',
    format: [...parts.checkpoint.tensors.values()].some(({ file }) => file.endsWith('.gguf')) ? 'gguf' : 'safetensors',
    family: config.modelType,
    families: [config.modelType],
    parameter_size: shortNumber(parameters),
    quantization_level: names[precision] ?? precision
  }
}

function toListed(served: Served): z.infer<typeof listed> {
  return {
    name: tagged(served),
    model: tagged(served),
    modified_at: new Date(served.created * 1000).toISOString(),
    size: measuresOf(served).bytes,
    digest: served.model.identity,
    details: detailsOf(served)
  }
}

const json = <Schema extends z.ZodType>(schema: Schema, description: string) => ({
  200: { description, content: { 'application/json': { schema } } }
})

const tagsRoute = createRoute({
  method: 'get',
  path: '/api/tags',
  tags,
  summary: 'List the models',
  responses: json(z.object({ models: z.array(listed) }), 'The models served here')
})

const psRoute = createRoute({
  method: 'get',
  path: '/api/ps',
  tags,
  summary: 'List the models that are loaded',
  responses: json(
    z.object({
      models: z.array(listed.extend({ expires_at: z.string(), size_vram: z.int(), context_length: z.int() }))
    }),
    'All models: the servers of the swarm hold them, none on this machine'
  )
})

const versionRoute = createRoute({
  method: 'get',
  path: '/api/version',
  tags,
  summary: 'The release of Ollama whose API this is',
  responses: json(z.object({ version: z.string(), swarmtune: z.string() }), 'The release, and the one of swarmtune')
})

const showBody = z
  .strictObject({
    model: z.string().min(1).optional(),
    name: z.string().min(1).optional().describe('Older name of `model`'),
    verbose: refused('the tokens of a model are in its tokenizer.json', z.literal(false)),
    system: refused('nothing is stored here', z.literal('')),
    template: refused('nothing is stored here', z.literal('')),
    options: refused('nothing is stored here', z.strictObject({}))
  })
  .openapi('OllamaShow')

const showRoute = createRoute({
  method: 'post',
  path: '/api/show',
  tags,
  summary: 'Describe a model',
  request: { body: { required: true, content: { 'application/json': { schema: showBody } } } },
  responses: json(
    z
      .object({
        license: z.string(),
        modelfile: z.string(),
        parameters: z.string(),
        template: z.string().describe('Jinja'),
        details,
        model_info: z.record(z.string(), z.union([z.string(), z.number()])),
        capabilities: z.array(z.enum(['completion', 'embedding', 'tools', 'thinking'])),
        modified_at: z.string()
      })
      .openapi('OllamaModelDescription'),
    'What the model is'
  )
})

function describe(served: Served) {
  const { config, parts } = served.model
  const template = served.template?.source ?? ''
  const family = config.modelType
  const generation = Object.entries(parts.checkpoint.generationConfig)
    .filter(([name]) => ['temperature', 'top_k', 'top_p', 'min_p'].includes(name))
    .map(([name, value]) => `${name.padEnd(30)} ${String(value)}`)
  const capabilities: ('completion' | 'embedding' | 'tools' | 'thinking')[] = canGenerate(served)
    ? ['completion', 'embedding']
    : ['embedding']
  if (/\btools\b/.test(template)) capabilities.push('tools')
  if (/think|reasoning/.test(template)) capabilities.push('thinking')
  return {
    license: '',
    modelfile: `FROM ${served.baseId ?? served.id}\n`,
    parameters: generation.join('\n'),
    template,
    details: detailsOf(served),
    model_info: {
      'general.architecture': family,
      'general.parameter_count': measuresOf(served).parameters,
      [`${family}.context_length`]: served.contextLength,
      [`${family}.block_count`]: config.numBlocks,
      [`${family}.embedding_length`]: config.hiddenSize,
      [`${family}.feed_forward_length`]: config.intermediateSize,
      [`${family}.attention.head_count`]: config.numHeads,
      [`${family}.attention.head_count_kv`]: config.numKeyValueHeads,
      [`${family}.vocab_size`]: config.vocabSize
    },
    capabilities,
    modified_at: new Date(served.created * 1000).toISOString()
  }
}

/** What Ollama does to its own store of models, and how to do it here. */
const elsewhere = [
  ['post', '/api/pull', 'serve the model in the swarm (npx swarm serve MODEL), then start the gateway with its name'],
  ['post', '/api/push', 'publish the folder of the model with the tools of the Hugging Face Hub'],
  ['post', '/api/create', 'start the gateway with the folder of the model, and --adapters for adapters over it'],
  ['post', '/api/copy', 'start the gateway with another name for the model'],
  ['delete', '/api/delete', 'stop the servers of the model, or start the gateway without it'],
  ['post', '/api/blobs/{digest}', 'the gateway stores no models'],
  ['head', '/api/blobs/{digest}', 'the gateway stores no models']
] as const

export const modelsRoutes: Routes = (api, { models }) => {
  api.openapi(tagsRoute, c => c.json({ models: models.list().map(toListed) }, 200))
  api.openapi(psRoute, c =>
    c.json(
      {
        models: models.list().map(served => ({
          ...toListed(served),
          expires_at: never,
          size_vram: 0,
          context_length: served.contextLength
        }))
      },
      200
    )
  )
  api.openapi(versionRoute, c => c.json({ version: ollamaVersion, swarmtune: version }, 200))
  api.openapi(showRoute, c => {
    const { model, name } = c.req.valid('json')
    const asked = model ?? name
    if (asked === undefined) throw invalid('model: expected the name of a model, found none', 'model')
    return c.json(describe(anyNamed(models, asked)), 200)
  })
  for (const [method, path, advice] of elsewhere) {
    api.on(method.toUpperCase(), path.replace('{digest}', ':digest'), () => {
      throw new ApiError(`${path} is Ollama's own: the swarm holds the models, not the gateway; ${advice}`, {
        status: 501,
        code: 'not_supported'
      })
    })
  }
  // a browser gets the console
  api.on(['GET', 'HEAD'], '/', async (c, next) =>
    c.req.header('accept')?.includes('text/html') ? next() : c.text('Ollama is running')
  )
}
