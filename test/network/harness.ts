// Peers on the loopback interface that are stopped at the end of a test, and messages to send between them.

import assert from 'node:assert/strict'
import { SwarmError } from '../../common/errors.ts'
import { type Float32Tensor, float32, tensor } from '../../common/tensor.ts'
import { createNetwork, type Network, type NetworkInit } from '../../network/node.ts'
import type { Message } from '../../proto/frame.ts'

export const loopback = ['/ip4/127.0.0.1/tcp/0']
export const echoProtocol = '/swarmtune/test-echo/1.0.0'

/** Peers that stop with the test: `await using swarm = new Swarm()`. */
export class Swarm {
  readonly peers: Network[] = []

  async peer(init: NetworkInit = {}): Promise<Network> {
    const network = await createNetwork({ listen: loopback, ...init })
    this.peers.push(network)
    await network.start()
    return network
  }

  /** A peer that only dials, joined to another. */
  client(to: Network, init: NetworkInit = {}): Promise<Network> {
    return this.peer({ listen: [], join: to.addresses, ...init })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.peers.map(peer => peer.stop()))
  }
}

/** A server that sends back what it gets, and a client of it. */
export async function echoPair(swarm: Swarm): Promise<{ server: Network; client: Network }> {
  const server = await swarm.peer()
  await server.handle(echoProtocol, async stream => {
    for (let message = await stream.receive(); message; message = await stream.receive()) await stream.send(message)
  })
  return { server, client: await swarm.client(server) }
}

export function message(hidden: Float32Tensor = float32([1, 1, 2], [1, 2])): Message<'forwardResponse'> {
  return { body: { kind: 'forwardResponse', residualId: 'r' }, tensors: { hidden } }
}

/** A message of so many bytes. */
export function large(bytes: number): Message<'forwardResponse'> {
  const data = new Float32Array(bytes / 4)
  for (let i = 0; i < data.length; i += 997) data[i] = i
  return message(tensor('float32', [data.length], data))
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Polls until the check holds; throws after `timeoutMs`. */
export async function until(check: () => unknown, what: string, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`${what} did not happen in ${timeoutMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

/** Rejects unless the promise settles in time: a test that hangs says where. */
export function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`${what} took longer than ${timeoutMs} ms`)), timeoutMs)
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** For `assert.rejects`: our error with this code, and a message that matches. */
export function code(expected: string, pattern?: RegExp): (error: unknown) => true {
  return error => {
    assert.ok(error instanceof SwarmError, String(error))
    assert.equal(error.code, expected, error.message)
    if (pattern) assert.match(error.message, pattern)
    return true
  }
}
