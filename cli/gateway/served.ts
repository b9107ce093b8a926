// The models that a gateway serves, opened over one network as the flags say.
import { joinSwarm, openTextModel, type Swarm } from '../../client/index.ts'
import type { ModelRegistry } from '../../gateway/models/registry.ts'
import type { ServedEmbedder, ServedModel } from '../../gateway/models/served-model.ts'
import { textVectors, vectorsOfCausal } from '../../gateway/models/text-vectors.ts'
import { openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { UsageError } from '../errors/usage.ts'
import { openDraft, openingOptions, readTemplate } from '../generation.ts'
import { clientAccess } from '../options/access.ts'
import { hubOptions } from '../options/hub.ts'
import { showProgress } from '../terminal/progress.ts'
import { createLogger } from '../terminal/terminal.ts'
import type { ApiFlags } from './options.ts'

/** What is open, to be closed in the opposite order. */
class Stack implements AsyncDisposable {
  readonly #all: (() => Promise<void>)[] = []

  add(close: () => Promise<void>): void {
    this.#all.push(close)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#all.splice(0).toReversed()) await close()
  }
}

/** How the model answers, as the flags say. */
async function speculationOf(flags: ApiFlags, signal: AbortSignal, open: Stack): Promise<ServedModel['speculation']> {
  const { speculate } = flags
  const draft = await openDraft(flags, signal)
  if (draft !== null) {
    open.add(() => draft.close())
    return { draft, numAssistantTokens: speculate }
  }
  return speculate === undefined ? undefined : { promptLookupNumTokens: speculate }
}

type OpenedModel = Pick<ServedModel, 'model' | 'vectors' | 'contextLength'>
type OpenedEmbedder = Pick<ServedEmbedder, 'model' | 'vectors' | 'contextLength'>

const isEmbedder = (opened: OpenedModel | OpenedEmbedder): opened is OpenedEmbedder =>
  opened.model.task === 'FEATURE_EXTRACTION'

/** The model of the path: a causal one, or of one with an encoder what makes vectors of texts. Added to what is open. */
async function openServed(
  path: string,
  flags: ApiFlags,
  { signal, swarm, open }: { readonly signal: AbortSignal; readonly swarm: Swarm; readonly open: Stack }
): Promise<OpenedModel | OpenedEmbedder> {
  const model = await openTextModel(path, { ...openingOptions(flags, signal), network: swarm.network })
  open.add(() => model.close())
  if (model.task === 'CAUSAL_LM') {
    return { model, vectors: await vectorsOfCausal(model), contextLength: model.config.maxPositions }
  }
  const vectors = await textVectors(model)
  return { model, vectors, contextLength: vectors.maxTokens }
}

/**
 * Joins the swarm, opens the models one after the other, and adds them to the registry. What is open is closed where one fails.
 * Throws UsageError for two models of one name, and for one draft beside several models.
 */
export async function openModels(
  paths: readonly string[],
  registry: ModelRegistry,
  flags: ApiFlags,
  signal: AbortSignal
): Promise<AsyncDisposable & { readonly swarm: Swarm }> {
  if (flags.draft !== undefined && paths.length > 1) {
    throw new UsageError(
      `--draft proposes tokens for one model, found ${paths.length}: serve each by a gateway of its own`
    )
  }
  const source = flags.chatTemplate === undefined ? undefined : await readTemplate(flags.chatTemplate)
  // a wrong name is told before peers are looked for
  const hub = { ...hubOptions(flags), onProgress: showProgress(flags) }
  for (const path of flags.fromPeers ? [] : paths) await openCheckpoint(path, { hub, signal })
  const open = new Stack()
  try {
    const logger = createLogger(flags.logLevel)
    const swarm = await joinSwarm({ ...(await clientAccess(flags)), logger, onProgress: showProgress(flags), signal })
    open.add(() => swarm.close())
    const speculation = await speculationOf(flags, signal, open)
    for (const path of paths) {
      const opened = await openServed(path, flags, { signal, swarm, open })
      const { tokenizer } = opened.model
      const { name } = opened.model.parts.checkpoint
      if (registry.list().some(({ id }) => id === name)) {
        throw new UsageError(`${path}: another model is called '${name}': requests could not tell them apart`)
      }
      const given = { specialTokens: tokenizer.specialTokens, file: flags.chatTemplate ?? '' }
      const shared = { id: name, baseId: null, tokenizer, created: Math.floor(Date.now() / 1000), folder: null }
      registry.add(
        isEmbedder(opened)
          ? { ...shared, ...opened, template: null }
          : {
              ...shared,
              ...opened,
              template: source === undefined ? tokenizer.chatTemplate : { ...given, source },
              ...(speculation !== undefined && { speculation }),
              ...(flags.controlTokens && { promptControlTokens: true })
            }
      )
    }
    return { swarm, [Symbol.asyncDispose]: () => open[Symbol.asyncDispose]() }
  } catch (error) {
    await open[Symbol.asyncDispose]()
    throw error
  }
}
