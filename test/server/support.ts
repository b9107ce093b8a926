// What the tests of server/ share: servers and callers on loopback, requests in few words, and the same computation without
// a server to compare with.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ErrorCode, SwarmError } from '../../common/errors.ts'
import { createRandom } from '../../common/random.ts'
import type { BlockRange } from '../../common/range.ts'
import { type Float32Tensor, float32, int64, type Tensor } from '../../common/tensor.ts'
import { type Checkpoint, openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { portName } from '../../model/layers/ports.ts'
import { blockWeights } from '../../model/weights/block-weights.ts'
import { createNetwork, type MessageStream, type Network } from '../../network/node.ts'
import type { BodyOf, Message, NamedTensors, Span } from '../../proto/messages.ts'
import { protocols } from '../../proto/protocols.ts'
import { createSession } from '../../runtime/session.ts'
import type { AttendedStates } from '../../server/compute/executor.ts'
import { type BlockServer, createServer, type ServerInit } from '../../server/server.ts'

const root = join(import.meta.dirname, '../..')

/** Small random Llama models: `grouped` (4 blocks, float32, head size 8), `scaled` (2 blocks, float16, head size 16,
 * fused decode); `tiny` is models/tiny (12 blocks, 1024 positions). */
export function openModel(name: 'grouped' | 'scaled' | 'odd' | 'tiny'): Promise<Checkpoint> {
  return openCheckpoint(join(root, name === 'tiny' ? 'models/tiny' : `test/reference/${name}`))
}

/** A folder of this test's own, removed when it ends. */
export async function temporaryFolder(context: Pick<TestContext, 'after'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmtune-server-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const loopback = ['/ip4/127.0.0.1/tcp/0']

/** A server on loopback that stops when the test ends; started unless told otherwise. */
export async function startServer(
  context: Pick<TestContext, 'after'>,
  init: Partial<ServerInit> & { checkpoint: Checkpoint; started?: boolean }
): Promise<BlockServer> {
  const { started = true, ...rest } = init
  const cacheDir = rest.cacheDir ?? (await temporaryFolder(context))
  const server = await createServer({ listen: loopback, threads: 1, storage: 'mapped', ...rest, cacheDir })
  context.after(() => server.stop())
  if (started) await server.start()
  return server
}

/** A peer that only asks; stops when the test ends. */
export async function startCaller(context: Pick<TestContext, 'after'>): Promise<Network> {
  const network = await createNetwork({ listen: [] })
  context.after(() => network.stop())
  await network.start()
  return network
}

/** Random hidden states, [batch, seq, hidden]. */
export function randomTensor(seed: number, shape: readonly number[], scale = 1): Float32Tensor {
  const random = createRandom(seed)
  const size = shape.reduce((product, dim) => product * dim, 1)
  return float32(
    shape,
    Array.from({ length: size }, () => random.normal() * scale)
  )
}

/** LoRA ports of some modules of some blocks. */
export function loraPorts(
  { config, family }: Checkpoint,
  blocks: BlockRange,
  modules: readonly string[] = ['self_attn.q_proj', 'self_attn.v_proj'],
  rank = 2
): NamedTensors {
  const ports: Record<string, Float32Tensor> = {}
  for (let block = blocks.first; block < blocks.end; block++) {
    for (const [index, module] of modules.entries()) {
      const { inFeatures, outFeatures } = family.linearModules(config, block).find(({ name }) => name === module)!
      const seed = 1000 * block + index
      ports[portName.lora(block, module, 'A')] = randomTensor(seed, [rank, inFeatures], 0.3)
      ports[portName.lora(block, module, 'B')] = randomTensor(seed + 500, [outFeatures, rank], 0.3)
    }
  }
  return ports
}

/** One server as its callers see it. */
export class Remote {
  readonly network: Network
  readonly server: BlockServer
  readonly model: string

  constructor(network: Network, server: BlockServer, checkpoint: Checkpoint) {
    this.network = network
    this.server = server
    this.model = checkpoint.identity
  }

  span(blocks: BlockRange = this.server.range, fields: Partial<Span> = {}): Span {
    return { model: this.model, firstBlock: blocks.first, endBlock: blocks.end, timeoutMs: 0, codec: 'fp32', ...fields }
  }

  request(protocol: string, message: Message, options: { signal?: AbortSignal } = {}): Promise<Message> {
    return this.network.request(this.server.peerId, protocol, message, { addresses: this.server.addresses, ...options })
  }

  async forward(
    tensors: NamedTensors,
    fields: Partial<Omit<BodyOf<'forwardRequest'>, 'kind'>> = {},
    options: { signal?: AbortSignal } = {}
  ): Promise<{ hidden: Float32Tensor; residualId: string }> {
    const body = { kind: 'forwardRequest', span: this.span(), keepResiduals: false, dropout: null, ...fields } as const
    const answer = await this.request(protocols.forward, { body, tensors }, options)
    assert.equal(answer.body.kind, 'forwardResponse')
    const { residualId } = answer.body as BodyOf<'forwardResponse'>
    return { hidden: answer.tensors.hidden as Float32Tensor, residualId }
  }

  async backward(
    tensors: NamedTensors,
    fields: Partial<Omit<BodyOf<'backwardRequest'>, 'kind'>> = {}
  ): Promise<NamedTensors> {
    const body = { kind: 'backwardRequest', span: this.span(), residualId: '', dropout: null, ...fields } as const
    const answer = await this.request(protocols.backward, { body, tensors })
    assert.equal(answer.body.kind, 'backwardResponse')
    return answer.tensors
  }

  async info(): Promise<BodyOf<'infoResponse'>> {
    const answer = await this.request(protocols.info, { body: { kind: 'infoRequest' }, tensors: {} })
    return answer.body as BodyOf<'infoResponse'>
  }

  async open(
    fields: { batch?: number; maxLength?: number; blocks?: BlockRange; ports?: NamedTensors } = {}
  ): Promise<RemoteSession> {
    const { addresses, peerId } = this.server
    const stream = await this.network.open(peerId, protocols.inference, { addresses })
    const { batch = 1, maxLength = 32, blocks, ports = {} } = fields
    const place = { session: new Uint8Array(), previous: '', next: null }
    const body = { kind: 'inferenceOpen', span: this.span(blocks), batch, maxLength, ...place } as const
    await stream.send({ body, tensors: ports })
    const ready = await stream.receive()
    assert.equal(ready?.body.kind, 'inferenceReady')
    return new RemoteSession(stream, (ready.body as BodyOf<'inferenceReady'>).cacheBytes)
  }
}

export class RemoteSession {
  readonly stream: MessageStream
  readonly cacheBytes: number
  #step = 1

  constructor(stream: MessageStream, cacheBytes: number) {
    this.stream = stream
    this.cacheBytes = cacheBytes
  }

  /** The next step; each has a number of its own only where rows are moved (`parents`). */
  async step(
    hidden: Float32Tensor,
    lengths?: readonly number[],
    timeoutMs = 0,
    parents?: readonly number[]
  ): Promise<Float32Tensor> {
    const tensors = {
      hidden,
      ...(lengths && { lengths: int64([lengths.length], lengths) }),
      ...(parents && { parents: int64([parents.length], parents) })
    }
    if (parents) this.#step += 1
    await this.stream.send({
      body: { kind: 'inferenceStep', timeoutMs, step: this.#step, lastOnly: false, replay: false },
      tensors
    })
    const answer = await this.#answer()
    assert.equal(answer?.body.kind, 'inferenceResult')
    return answer.tensors.hidden as Float32Tensor
  }

  /** The next message but notices, which may come at any time. */
  async #answer(): Promise<Message | null> {
    const message = await this.stream.receive()
    return message?.body.kind === 'inferenceNotice' ? await this.#answer() : message
  }

  async close(): Promise<void> {
    await this.stream.close()
    assert.equal(await this.#answer(), null)
  }
}

/** A server and somebody who asks it. */
export async function startRemote(
  context: Pick<TestContext, 'after'>,
  init: Partial<ServerInit> & { checkpoint: Checkpoint }
): Promise<Remote> {
  const [server, network] = await Promise.all([startServer(context, init), startCaller(context)])
  return new Remote(network, server, init.checkpoint)
}

/** The blocks' output computed on this thread, without a server. */
export async function directForward(
  checkpoint: Checkpoint,
  blocks: BlockRange,
  feeds: { hidden: Float32Tensor; mask?: Tensor<'int64'>; ports?: NamedTensors; encoder?: AttendedStates },
  cacheDir?: string
): Promise<Float32Tensor> {
  const { config, family } = checkpoint
  const { hidden, ports = {}, encoder } = feeds
  const [batch, seq] = hidden.shape as [number, number]
  const weights = await blockWeights(checkpoint, blocks, { cacheDir })
  const graph = family.forwardSpan(config, { blocks, ports: Object.keys(ports) })
  await using session = await createSession(graph, {
    folder: weights.folder,
    weights: name => weights.locate(name),
    storage: 'mapped',
    threads: 1,
    inline: true
  })
  const mask = feeds.mask ?? int64([batch, seq], Array(batch * seq).fill(1))
  const tables = family.rotaryTables(config, config.maxPositions)
  const states = encoder && {
    encoder_hidden: encoder.hidden,
    encoder_mask:
      encoder.mask ??
      int64(encoder.hidden.shape.slice(0, 2), Array(encoder.hidden.data.length / config.hiddenSize).fill(1))
  }
  return (await session.run({ hidden, mask, ...tables, ...ports, ...states })).hidden_out as Float32Tensor
}

/** max |actual - expected| / max |expected| is at most `tolerance`. */
export function assertClose(actual: Tensor | undefined, expected: Tensor, tolerance: number, what = 'values'): void {
  assert.deepEqual(actual?.shape, expected.shape, `${what}: shape`)
  let [difference, scale] = [0, 0]
  for (const [i, value] of (expected as Float32Tensor).data.entries()) {
    difference = Math.max(difference, Math.abs((actual as Float32Tensor).data[i]! - value))
    scale = Math.max(scale, Math.abs(value))
  }
  assert.ok(difference <= tolerance * scale, `${what}: off by ${difference / scale}, at most ${tolerance} is allowed`)
}

/** Positions `first..end-1` of [batch, seq, hidden], of one row or all. */
export function positionsOf({ shape, data }: Float32Tensor, first: number, end: number, row?: number): Float32Tensor {
  const [batch, seq, width] = shape as [number, number, number]
  const rows = row === undefined ? [...Array(batch).keys()] : [row]
  const values = rows.flatMap(index => [...data.subarray((index * seq + first) * width, (index * seq + end) * width)])
  return float32([rows.length, end - first, width], values)
}

/** Asserts that a promise rejects with our error of this code and message. */
export async function rejectsWith(promise: Promise<unknown>, code: ErrorCode, message: RegExp = /./): Promise<void> {
  await assert.rejects(promise, error => {
    assert.ok(error instanceof SwarmError, `expected a SwarmError, found ${error}`)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    return true
  })
}

/** Waits until a condition holds; fails after `withinMs`. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 10_000
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await holds())) {
    assert.ok(performance.now() < end, `not within ${withinMs} ms: ${what}`)
    await sleep(20)
  }
}
