import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { SwarmError } from '../../common/errors.ts'
import { MiB } from '../../common/units.ts'
import { aborted, echoProtocol, large, message, Swarm, within } from './harness.ts'

class Child implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(...args: string[]) {
    const script = join(import.meta.dirname, 'fixtures', 'peer.ts')
    this.#process = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]()
  }

  async line(): Promise<string> {
    const { value } = await within(this.#lines.next(), 20_000, 'the child process')
    return value
  }

  /** As a power cut does: no farewell. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }
}

test('a client process that is killed frees its session within seconds', async () => {
  await using swarm = new Swarm()
  const server = await swarm.peer()
  const session = Promise.withResolvers<{ signal: AbortSignal; next: Promise<unknown> }>()
  await server.handle('/swarmtune/test-session/1.0.0', async (stream, { signal }) => {
    await stream.receive()
    const next = stream.receive()
    session.resolve({ signal, next: next.catch((error: unknown) => error) })
    await next
  })
  await using child = new Child('client', server.addresses[0]!, server.peerId)
  assert.equal(await child.line(), 'sent')
  const { signal, next } = await session.promise
  assert.equal(signal.aborted, false)
  const begin = performance.now()
  await child.kill()
  await within(aborted(signal), 3000, 'noticing')
  const error = await next
  assert.ok(error instanceof SwarmError && error.code === 'UNREACHABLE', String(error))
  assert.ok(performance.now() - begin < 3000)
})

test('a server process that is killed ends the requests to it with UNREACHABLE', async () => {
  await using child = new Child('server')
  const address = await child.line()
  const peer = address.split('/p2p/')[1]!
  await using swarm = new Swarm()
  const client = await swarm.peer({ listen: [], join: [address] })
  const answer = await client.request(peer, echoProtocol, large(4 * MiB))
  assert.equal(answer.tensors.hidden?.data.byteLength, 4 * MiB)

  const stream = await client.open(peer, echoProtocol)
  await stream.send(message())
  await stream.receive()
  const unreachable = (error: unknown) => error instanceof SwarmError && error.code === 'UNREACHABLE' && error.retryable
  const waiting = assert.rejects(stream.receive(), unreachable)
  const sending = assert.rejects(client.request(peer, echoProtocol, large(64 * MiB)), unreachable)
  await child.kill()
  await within(Promise.all([waiting, sending, aborted(stream.signal)]), 3000, 'noticing')
  await assert.rejects(client.request(peer, echoProtocol, message(), { timeoutMs: 5000 }), unreachable)
})
