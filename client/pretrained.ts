// From a path or a name to a model's parts: the checkpoint opened by its headers, what the client holds loaded, the swarm
// joined. Knows no task but by the tensors that it needs.

import { files } from '#files'
import { throwIfAborted } from '../common/async.ts'
import { SwarmError } from '../common/errors.ts'
import { silent } from '../common/logger.ts'
import { checkOptions, type OptionKeys } from '../common/options.ts'
import { runStage } from '../common/progress.ts'
import { dtypes } from '../common/tensor.ts'
import { second } from '../common/units.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../model/checkpoint/checkpoint.ts'
import type { ReadTensorOptions } from '../model/checkpoint/read-tensor.ts'
import type { ModelConfig } from '../model/config/config.ts'
import { fixedPositions } from '../model/config/rope-config.ts'
import { checkHubOptions, type HubOptions } from '../model/hub/options.ts'
import type { Precision } from '../model/quantize/precision.ts'
import { loadTokenizer, type Tokenizer } from '../model/text/tokenizer.ts'
import { findServers } from '../network/discovery/discovery.ts'
import type { Network } from '../network/node.ts'
import { type ModelName, modelsOf } from '../network/state/swarm-state.ts'
import { requestTimeoutMs } from '../proto/limits.ts'
import { protocols } from '../proto/protocols.ts'
import { sharedTensor } from '../runtime/session.ts'
import { type AuditOptions, Auditor } from './audit/auditor.ts'
import { OwnBlocks } from './audit/own-blocks.ts'
import { type FromPeers, openFromPeers } from './from-peers.ts'
import { type JoinOptions, joinKeys, joinNetwork } from './join.ts'
import { Embeddings } from './local/embeddings.ts'
import { type Parameter, parameter } from './local/parameter.ts'
import { LocalPrograms } from './local/programs.ts'
import type { ModelParts } from './models/model-parts.ts'
import { type RemoteInit, RemoteSequential } from './remote/chain.ts'
import { type CodecOption, resolveCodecs } from './remote/passes/codecs.ts'
import { sharedBlame } from './remote/peers/blame.ts'
import { Peers } from './remote/peers/peers.ts'

/** How a model is opened: which swarm, which checkpoint, how tensors travel. */
export interface PretrainedOptions extends JoinOptions {
  /** how hidden states and their gradients travel, all alike or each its own way; default fp32, in generations fp16 */
  readonly codec?: CodecOption
  /** threads of the head; default: all cores */
  readonly threads?: number
  /** of dropout, where no seed comes with a call */
  readonly seed?: number
  /** a started network to use instead of one of its own; it is its owner's to stop */
  readonly network?: Network
  /** limits of the way through the servers */
  readonly remote?: Pick<RemoteInit, 'requestTimeoutMs' | 'retryDelaysMs' | 'subBatchTokens'>
  /** use only servers that hold their blocks so; default: any */
  readonly requireDtype?: Precision
  /** compute some of what servers have computed again, on other servers or here, and leave out those that lie; default: none */
  readonly audit?: AuditOptions
  /** folder that keeps, between runs, which servers lied or failed badly; null: not kept. Default: `SWARM_HOME`, else ~/.swarmtune */
  readonly home?: string | null
  /** of the Hugging Face Hub, for a model named instead of a path */
  readonly hub?: HubOptions
  /** the model's name in the swarm instead of a path: configuration, tokenizer and tensors come from its servers */
  readonly fromPeers?: FromPeers
}

/** For checkOptions. */
export const pretrainedKeys: OptionKeys<PretrainedOptions> = {
  ...joinKeys,
  home: true,
  codec: true,
  threads: true,
  seed: true,
  network: true,
  remote: true,
  requireDtype: true,
  audit: true,
  hub: true,
  fromPeers: true
}

/** Throws INVALID_ARGUMENT for a name that no option has, also within options that have names of their own. */
export function checkPretrainedOptions<Options extends PretrainedOptions>(
  options: Options,
  keys: OptionKeys<NoInfer<Options>>
): void {
  const what = 'fromPretrained'
  checkOptions(what, options, keys)
  const { codec, remote, audit, hub, fromPeers } = options
  if (typeof codec === 'object') {
    checkOptions(`${what}: codec`, codec, { activations: true, gradients: true, generation: true })
  }
  checkOptions(`${what}: remote`, remote, { requestTimeoutMs: true, retryDelaysMs: true, subBatchTokens: true })
  checkOptions(`${what}: audit`, audit, { probability: true, tolerance: true })
  checkHubOptions(what, hub)
  checkOptions(`${what}: fromPeers`, fromPeers, { directory: true, onProgress: true })
}

/** Looking at what else the swarm serves, for an error message. */
const othersTimeoutMs = 3 * second

/** The tensor as a parameter, in memory that the thread of the runtime reads without a copy. */
export async function loadParameter(
  checkpoint: Checkpoint,
  name: string,
  options: ReadTensorOptions = {}
): Promise<Parameter> {
  const { shape, data } = await readTensor(checkpoint, name, options)
  const shared = sharedTensor('float32', shape)
  shared.data.set(data)
  return parameter(name, shape, shared.data)
}

async function loadTokenizerIfAny(path: string, signal?: AbortSignal): Promise<Tokenizer | null> {
  try {
    return await loadTokenizer(path, { signal })
  } catch (error) {
    if (error instanceof SwarmError && error.code === 'NOT_FOUND') return null
    throw error
  }
}

/** The models that the swarm serves. */
async function modelsServed(network: Network, signal?: AbortSignal): Promise<ModelName[]> {
  const limit = AbortSignal.timeout(othersTimeoutMs)
  const servers = await findServers(network, '', { signal: signal ? AbortSignal.any([signal, limit]) : limit })
  return modelsOf(servers)
}

/** Requests that wait at a server, as it says. */
async function queueOf(network: Network, peerId: string, addresses: readonly string[], signal: AbortSignal) {
  const message = { body: { kind: 'infoRequest' } as const, tensors: {} }
  const { body } = await network.request(peerId, protocols.info, message, { addresses, signal })
  if (body.kind !== 'infoResponse') throw new SwarmError('BAD_FRAME', `expected infoResponse, found ${body.kind}`)
  return body.queueLength
}

/** Names of the tensors that the client loads: all outside the blocks, or all but the scores of the vocabulary. */
function heldTensors({ family, config }: Checkpoint, languageHead: boolean): string[] {
  const { embedding, head } = family.clientTensorNames(config)
  const names = family.clientTensors(config).map(({ name }) => name)
  return languageHead || head === embedding ? names : names.filter(name => name !== head)
}

/** What audits can do with this model: blocks that lie here as float32 are the last word. */
async function auditable(checkpoint: Checkpoint, { threads }: PretrainedOptions) {
  const { config, family, tensors, folder } = checkpoint
  // beyond the trained positions steps over a cache are not a pass over the whole
  if (fixedPositions(config.rope) !== undefined) return { sessions: false }
  const names = Array.from({ length: config.numBlocks }, (_, block) => family.blockTensorNames(config, block)).flat()
  const stored = names.map(name => tensors.get(name)!)
  const isPlain = stored.every(info => info.dtype === 'float32' && info.encoding === undefined)
  const isHere = isPlain && (await Promise.all(stored.map(info => folder.holds(info)))).every(Boolean)
  return isHere ? { own: new OwnBlocks(checkpoint, { threads }) } : {}
}

async function assemble(
  checkpoint: Checkpoint,
  { network, leave }: { readonly network: Network; leave(): Promise<void> },
  languageHead: boolean,
  options: PretrainedOptions
): Promise<ModelParts> {
  const { signal, logger = silent } = options
  const { config, family, identity } = checkpoint
  const names = heldTensors(checkpoint, languageHead)
  await checkpoint.provide(names, { signal }) // all together: one download
  const parameters = new Map<string, Parameter>()
  const total = names.reduce((sum, name) => sum + checkpoint.tensors.get(name)!.length, 0)
  const about = { stage: 'load', name: checkpoint.name, unit: 'bytes', total } as const
  await runStage(options.onProgress, about, async ({ add: onBytes }) => {
    for (const name of names) parameters.set(name, await loadParameter(checkpoint, name, { signal, onBytes }))
  })
  const blame = sharedBlame({ files, home: options.home === undefined ? files.home() : options.home, logger })
  await blame.load()
  const peers: Peers = new Peers({
    findServers: finding => findServers(network, identity, finding),
    modelsServed: serving => modelsServed(network, serving.signal),
    ping: (peerId, pinging) => network.ping(peerId, pinging),
    queueOf: (peerId, asking) => queueOf(network, peerId, peers.addressesOf(peerId), asking.signal),
    model: identity,
    modelName: checkpoint.name,
    swarmName: network.swarmName,
    blame,
    audited: (options.audit?.probability ?? 0) > 0,
    requireDtype: options.requireDtype,
    logger
  })
  const caller = {
    network,
    model: identity,
    codecs: resolveCodecs(options.codec),
    timeoutMs: options.remote?.requestTimeoutMs ?? requestTimeoutMs,
    addressesOf: (peerId: string) => peers.addressesOf(peerId)
  }
  const auditor =
    options.audit && new Auditor({ caller, peers, logger, ...(await auditable(checkpoint, options)) }, options.audit)
  const blocks = new RemoteSequential(
    { network, peers, auditor, logger },
    {
      model: identity,
      numBlocks: config.numBlocks,
      stacks: config.stacks,
      hiddenSize: config.hiddenSize,
      // angles that depend on a sequence's length: its prompt must stay together
      wholeSteps: fixedPositions(config.rope) !== undefined,
      cacheBytesPerPosition: 2 * config.numKeyValueHeads * config.headDim * dtypes.float32.bytes,
      codec: options.codec,
      ...options.remote
    }
  )
  const { embedding } = family.clientTensorNames(config)
  const owned: ModelParts['owned'] = new Set()
  const programs = new LocalPrograms(parameters, { threads: options.threads })
  return {
    checkpoint,
    network,
    parameters,
    programs,
    embeddings: new Embeddings({ checkpoint, weight: parameters.get(embedding)!, programs }),
    blocks,
    tokenizer: await loadTokenizerIfAny(checkpoint.path, signal),
    logger,
    owned,
    async close() {
      await Promise.all([...owned].map(each => each.close()))
      owned.clear()
      await blocks.audited()
      await blocks.close()
      await blame.settled()
      await leave()
      await programs.close()
    }
  }
}

/**
 * Opens a Hugging Face model directory by its headers, loads embeddings, last norm and, if asked for, the language head,
 * joins the swarm, and lets `finish` make a model of it. Blocks are never read; servers are looked for when they are first
 * needed. Throws NOT_FOUND, BAD_CHECKPOINT, UNSUPPORTED for the directory, UNREACHABLE when no initial peer answers,
 * INVALID_ARGUMENT for malformed addresses.
 */
export async function openModel<Model>(
  path: string,
  options: PretrainedOptions & { readonly languageHead: boolean | ((config: ModelConfig) => boolean) },
  finish: (parts: ModelParts) => Model | Promise<Model>
): Promise<Model> {
  const { signal, languageHead, onProgress } = options
  resolveCodecs(options.codec)
  const hub = { ...options.hub, onProgress: options.hub?.onProgress ?? onProgress }
  const fromPeers = options.fromPeers && {
    ...options.fromPeers,
    onProgress: options.fromPeers.onProgress ?? onProgress
  }
  const local = fromPeers === undefined ? await openCheckpoint(path, { signal, hub }) : undefined
  const { network: given } = options
  const network = given ?? (await joinNetwork(options, local?.identity)).network
  const swarm = { network, leave: async () => (given === undefined ? await network.stop() : undefined) }
  try {
    const checkpoint = local ?? (await openFromPeers(path, swarm.network, fromPeers!, { signal }))
    const hasHead = typeof languageHead === 'boolean' ? languageHead : languageHead(checkpoint.config)
    return await finish(await assemble(checkpoint, swarm, hasHead, options))
  } catch (error) {
    await swarm.leave()
    throwIfAborted(signal)
    throw error
  }
}
