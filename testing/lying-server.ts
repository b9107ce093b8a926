// A server that computes and then says something else: a real one, whose answers are changed on their way out.

import { delay } from '../common/async.ts'
import { pickOptions } from '../common/options.ts'
import { slicePositions } from '../common/rows.ts'
import type { Float32Tensor } from '../common/tensor.ts'
import { tensor } from '../common/tensor.ts'
import { type NetworkInit, networkKeys } from '../network/network.ts'
import { createNetwork, type Network } from '../network/node.ts'
import type { MessageStream } from '../network/streams/message-stream.ts'
import type { BodyKind, Message, NamedTensors } from '../proto/messages.ts'
import { BlockServer, type ServerInit } from '../server/server.ts'

/** What is said instead of a result. @param input what the result was computed from, where it is of the same shape */
export type ServerLie = (result: Float32Tensor, input: Float32Tensor | undefined) => Float32Tensor

export interface LyingServer {
  readonly server: BlockServer
  /** answers that were changed */
  readonly lies: () => number
  /** what it says from now on; null: the truth */
  tell(lie: ServerLie | null): void
  /** what it says to one peer alone from now on; null: what it says to all */
  deceive(peerId: string, lie: ServerLie | null): void
  /** answers that were changed for such a peer alone */
  readonly deceptions: () => number
  /** kinds of messages that it keeps to itself from now on, or that wait for so long */
  hold(kinds: readonly BodyKind[], ms?: number): void
}

/** Kinds of answers that are changed. */
export interface LieOptions {
  /** of requests; default true */
  readonly requests?: boolean
  /** of sessions; default true */
  readonly sessions?: boolean
  /** of sessions, what goes to the client itself and not to the next server; default true */
  readonly results?: boolean
  /** announces that it is faster than any other; default false */
  readonly boasts?: boolean
}

const told = ['forwardResponse', 'backwardResponse', 'inferenceResult', 'inferenceStep']

export async function createLyingServer(
  init: ServerInit,
  lie: ServerLie | null,
  options: LieOptions = {}
): Promise<LyingServer> {
  const { requests = true, sessions = true, results = true, boasts = false } = options
  const state = {
    lie,
    deceived: new Map<string, ServerLie>(),
    lies: 0,
    deceptions: 0,
    input: undefined as Float32Tensor | undefined,
    held: [] as readonly BodyKind[],
    heldMs: Infinity
  }
  const change = ({ body, tensors }: Message, peerId: string): Message => {
    const deception = state.deceived.get(peerId)
    const lie = deception ?? state.lie
    const isSession = body.kind.startsWith('inference')
    if (!results && body.kind === 'inferenceResult') return { body, tensors }
    if (lie === null || !told.includes(body.kind) || !(isSession ? sessions : requests)) return { body, tensors }
    const changed: Record<string, NamedTensors[string]> = {}
    for (const [name, value] of Object.entries(tensors)) {
      const isResult = name === 'hidden' || name === 'grad.hidden'
      changed[name] = isResult ? lie(value as Float32Tensor, state.input) : value
    }
    if (deception === undefined) state.lies += 1
    else state.deceptions += 1
    return { body, tensors: changed }
  }
  const wrap = (stream: MessageStream, peerId: string): MessageStream =>
    new Proxy(stream, {
      get(target, name) {
        if (name === 'send') {
          return async (message: Message, sending?: Parameters<MessageStream['send']>[1]) => {
            if (state.held.includes(message.body.kind)) {
              state.lies += 1
              if (state.heldMs === Infinity) return
              await delay(state.heldMs)
            }
            await target.send(change(message, peerId), sending)
          }
        }
        if (name === 'receive') {
          return async (receiving?: Parameters<MessageStream['receive']>[0]) => {
            const message = await target.receive(receiving)
            const { hidden, 'grad.hidden': gradient } = message?.tensors ?? {}
            state.input = (gradient ?? hidden ?? state.input) as Float32Tensor | undefined
            return message
          }
        }
        const value = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      }
    })
  const real = await createNetwork(pickOptions<NetworkInit>(init, networkKeys))
  const network = new Proxy(real, {
    get(target, name) {
      if (name === 'handle') {
        return (
          protocol: string,
          handler: Parameters<Network['handle']>[1],
          handling?: Parameters<Network['handle']>[2]
        ) => target.handle(protocol, (stream, context) => handler(wrap(stream, context.peerId), context), handling)
      }
      if (name === 'announce' && boasts) {
        const best = { decodeRate: 3e6, forwardRate: 3e8, queueMs: 0, trainingQueueMs: 0 }
        return (fields: Parameters<Network['announce']>[0], announcing?: Parameters<Network['announce']>[1]) =>
          target.announce({ ...fields, ...best }, announcing)
      }
      if (name === 'open') {
        return async (...opening: Parameters<Network['open']>) => wrap(await target.open(...opening), opening[0])
      }
      const value = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
  return {
    server: new BlockServer({ network }, init),
    lies: () => state.lies,
    deceptions: () => state.deceptions,
    tell(next) {
      state.lie = next
    },
    deceive(peerId, next) {
      if (next === null) state.deceived.delete(peerId)
      else state.deceived.set(peerId, next)
    },
    hold(kinds, ms = Infinity) {
      state.held = kinds
      state.heldMs = ms
    }
  }
}

/** Noise whose length is this share of the result's. @param random standard normal numbers */
export const noise =
  (share: number, random: () => number): ServerLie =>
  result => {
    let sum = 0
    for (const value of result.data) sum += value * value
    const scale = share * Math.sqrt(sum / result.data.length)
    return tensor(
      'float32',
      result.shape,
      result.data.map(value => value + scale * random())
    )
  }

/** What is no number. */
export const nothing: ServerLie = result =>
  tensor(
    'float32',
    result.shape,
    result.data.map(() => Number.NaN)
  )

/** One bit of one element, the other way: 31 is the sign, 30 to 23 the exponent. */
export const bitFlip =
  (bit: number, element: (count: number) => number): ServerLie =>
  result => {
    const data = result.data.slice()
    const bits = new Uint32Array(data.buffer)
    bits[element(data.length)]! ^= 1 << bit
    return tensor('float32', result.shape, data)
  }

/** Computes nothing: says what it was given. */
export const echo: ServerLie = (result, input) => {
  if (input === undefined || input.shape[0] !== result.shape[0] || input.shape[2] !== result.shape[2]) return result
  if (input.shape[1] === result.shape[1]) return input
  // the last token of a row
  return slicePositions(input, input.shape[1]! - 1, 1)
}
