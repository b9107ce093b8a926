// Fetches a model's files and tensors from servers that hold it. Moves bytes; the caller verifies them.
import { pipe } from 'it-pipe'
import { messageOf, SwarmError } from '../common/errors.ts'
import { atMost, whole } from '../common/files/byte-stages.ts'
import { parseForeignJson } from '../common/foreign-json.ts'
import { MiB, second } from '../common/units.ts'
import type { BodyOf } from '../proto/messages.ts'
import { protocols } from '../proto/protocols.ts'
import { proofsAtOnce, proofTimeoutMs } from './constants.ts'
import type { Announcement } from './discovery/announcement.ts'
import { findServers } from './discovery/discovery.ts'
import { proven } from './discovery/proof.ts'
import type { Network } from './network.ts'

/** files of a model's folder; a tokenizer has some ten MiB */
const maxFileBytes = 256 * MiB
const maxFrameBytes = 2 * MiB
/** how long servers of a model are looked for */
const findTimeoutMs = 20 * second

/** servers that answer, where many are announced: a hash is compared over some, and tensors are spread over them */
const enoughServers = 4

interface Options {
  readonly signal?: AbortSignal
}

type Request = Partial<BodyOf<'tensorsRequest'>>

/** The servers of one model, as model/peers wants them. */
function parseHashes(text: string, peer: string): object {
  try {
    return Object(parseForeignJson(text)) as object
  } catch (cause) {
    throw new SwarmError('BAD_FRAME', `${peer}: hashes of tensors: not JSON: ${messageOf(cause)}`, { cause })
  }
}

class ModelExchange {
  /** identity, hex */
  readonly model: string
  readonly #network: Network

  constructor(components: { network: Network }, init: { model: string }) {
    this.#network = components.network
    this.model = init.model
  }

  /** Peer ids of the servers that are online. */
  async list(options: Options = {}): Promise<string[]> {
    const known = this.#network.directory.list(this.model)
    const servers =
      known.length > 0
        ? await proven(this.#network, known, { ...options, enough: found => found.length >= enoughServers })
        : await findServers(this.#network, this.model, options)
    return servers.filter(({ state }) => state === 'online').map(({ peerId }) => peerId)
  }

  /** undefined where the peer has no such file. */
  async file(peer: string, name: string, options: Options): Promise<Uint8Array | undefined> {
    try {
      return await this.#whole(peer, { file: name }, options)
    } catch (error) {
      if (error instanceof SwarmError && error.code === 'NOT_FOUND') return undefined
      throw error
    }
  }

  async hashes(peer: string, tensors: readonly string[], options: Options): Promise<ReadonlyMap<string, string>> {
    const text = new TextDecoder().decode(await this.#whole(peer, { hashes: tensors }, options))
    const entries = Object.entries(parseHashes(text, peer))
    return new Map(entries.filter(([name, hash]) => tensors.includes(name) && /^[0-9a-f]{64}$/.test(String(hash))))
  }

  bytes(
    peer: string,
    tensor: string,
    { start, end }: { start: number; end: number },
    options: Options
  ): AsyncIterable<Uint8Array> {
    return this.#ask(peer, { tensor, firstByte: start, endByte: end }, options)
  }

  async #whole(peer: string, request: Request, options: Options): Promise<Uint8Array> {
    const tooMuch = () => new SwarmError('BAD_FRAME', `${peer}: more than ${maxFileBytes} bytes for a file`)
    return await pipe(this.#ask(peer, request, options), atMost(maxFileBytes, tooMuch), whole)
  }

  async *#ask(peer: string, request: Request, { signal }: Options): AsyncIterable<Uint8Array> {
    const addresses = this.#network.directory.get(peer)?.addresses
    const stream = await this.#network.open(peer, protocols.tensors, { signal, addresses, maxFrameBytes })
    const nothing = { file: '', tensor: '', firstByte: 0, endByte: 0, hashes: [] }
    try {
      const body = { kind: 'tensorsRequest' as const, model: this.model, ...nothing, ...request }
      await stream.send({ body, tensors: {} }, { signal })
      await stream.close()
      for (
        let message = await stream.receive({ signal });
        message !== null;
        message = await stream.receive({ signal })
      ) {
        if (message.body.kind !== 'tensorsResponse') {
          throw new SwarmError('BAD_FRAME', `${peer}: expected tensorsResponse, found ${message.body.kind}`)
        }
        yield message.body.data
      }
    } catch (error) {
      stream.abort(error as Error)
      throw error
    }
  }
}

/**
 * Finds the model that the swarm serves under a name, or whose identity begins so. Throws NOT_FOUND naming what is served
 * instead, INVALID_ARGUMENT where several models are meant.
 */
export async function findModel(network: Network, name: string, options: Options = {}): Promise<ModelExchange> {
  const limit = AbortSignal.timeout(findTimeoutMs)
  const signal = options.signal ? AbortSignal.any([options.signal, limit]) : limit
  const wanted = name.split('/').at(-1)!
  const means = ({ modelName, model }: { modelName: string; model: string }) =>
    modelName === name || modelName === wanted || (/^[0-9a-f]{8,64}$/.test(name) && model.startsWith(name))
  const servers = await findServers(network, '', { signal, enough: found => found.some(means) })
  const meant = servers.filter(means)
  const announced = new Set(meant.map(({ model }) => model))
  const found = announced.size > 1 ? await answering(network, meant, signal) : announced
  const served = [...new Set(servers.map(({ modelName, model }) => `${modelName} (${model.slice(0, 8)})`))].join(', ')
  if (found.size === 0) {
    throw new SwarmError('NOT_FOUND', `no server of the swarm holds '${name}' (served: ${served || 'nothing'})`)
  }
  if (found.size > 1) {
    throw new SwarmError('INVALID_ARGUMENT', `'${name}' may be several models: name one by its identity (${served})`)
  }
  return new ModelExchange({ network }, { model: [...found][0]! })
}

/** The models of those servers that answer a ping: a name costs nothing to announce. All, where none does. */
async function answering(
  network: Network,
  servers: readonly Announcement[],
  signal: AbortSignal
): Promise<ReadonlySet<string>> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(proofTimeoutMs)])
  const tried = servers.slice(0, proofsAtOnce)
  const answers = await Promise.allSettled(
    tried.map(({ peerId, addresses }) => network.ping(peerId, { addresses, signal: limit }))
  )
  const there = tried.filter((_, index) => answers[index]!.status === 'fulfilled')
  return new Set((there.length > 0 ? there : servers).map(({ model }) => model))
}
