// Servers as separate processes on this machine: started, waited for, stopped. For the demo, the tests and the benchmarks.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onAbort } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import type { BlockRange } from '../../common/range.ts'
import { second } from '../../common/units.ts'

/** The output of `swarm serve --json` and `swarm bootstrap --json` once they are online. */
export interface OnlineEvent {
  readonly event: 'online'
  readonly peerId: string
  readonly addresses: readonly string[]
  readonly blocks?: BlockRange
  /** of a private swarm: with this peer's addresses */
  readonly invite?: string
}

/** A command that runs as a process of its own, and is online. */
export interface OnlineProcess<Online> extends AsyncDisposable {
  readonly process: ChildProcess
  readonly online: Online
  /** it drains; it is killed if it is not gone within the grace period */
  stop(graceMs?: number): Promise<void>
}

export interface PeerProcess extends OnlineProcess<OnlineEvent> {
  /** an address of the peer on this machine, with its peer id */
  readonly address: string
}

const bin = join(import.meta.dirname, '../bin.js')

export interface StartOptions<Online = OnlineEvent> {
  readonly env?: Record<string, string>
  readonly signal?: AbortSignal
  /** where the peer's log lines go; default: kept, and shown if it does not come up */
  readonly onLog?: (line: string) => void
  /** called when the peer is online */
  readonly onOnline?: (event: Online) => void
  /** what the peer says that it does once it is online: `paused`, `resumed` */
  readonly onEvent?: (event: string) => void
  /** the peer gets no Ctrl-C of this terminal: only `stop`, and the end of this process, end it. Default false */
  readonly ownGroup?: boolean
}

/**
 * Starts `swarm <args…> --json` as a process of its own and waits until it says that it is online.
 * @throws SwarmError what the process said on stderr, if it ended before that
 */
export async function startOnline<Online extends { readonly event: string }>(
  args: readonly string[],
  options: StartOptions<Online> = {}
): Promise<OnlineProcess<Online>> {
  options.signal?.throwIfAborted()
  const child = spawn(process.execPath, [bin, ...args, '--json', '--until-eof'], {
    detached: options.ownGroup,
    stdio: ['pipe', 'pipe', 'pipe'], // its end tells the peer that we are gone, however we went
    env: { ...process.env, ...options.env }
  })
  const gone = once(child, 'exit')
  const lastLines: string[] = []
  createInterface({ input: child.stderr }).on('line', line => {
    options.onLog?.(line)
    lastLines.push(line)
    if (lastLines.length > 20) lastLines.shift()
  })

  const stop = async (graceMs = 15 * second): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    // on Windows every signal kills at once: there the peer drains since its standard input ends (--until-eof)
    if (process.platform === 'win32') child.stdin.end()
    else child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    await gone
    clearTimeout(timer)
  }
  const ignore = onAbort(options.signal, () => void stop())

  try {
    const online = await new Promise<Online>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', line => {
        const event = JSON.parse(line) as { event: string }
        if (event.event === 'online') resolve(event as Online)
        else options.onEvent?.(event.event)
      })
      void gone.then(([code, signal]) =>
        reject(
          new SwarmError(
            'INTERNAL',
            `swarm ${args.join(' ')}: ended (${signal ?? `status ${code}`}) before it was online:\n${lastLines.join('\n')}`
          )
        )
      )
    })
    options.onOnline?.(online)
    return { process: child, online, stop, [Symbol.asyncDispose]: () => stop() }
  } catch (error) {
    await stop()
    options.signal?.throwIfAborted() // it ended because we stopped it
    throw error
  } finally {
    ignore()
  }
}

/** The same for a peer: `swarm serve`, `swarm bootstrap`. */
export async function startPeer(args: readonly string[], options: StartOptions = {}): Promise<PeerProcess> {
  const started = await startOnline<OnlineEvent>(args, options)
  const { addresses } = started.online
  return { ...started, address: addresses.find(text => text.includes('/127.0.0.1/')) ?? addresses[0]! }
}

/**
 * One server per range over one model; all join the first, which is up before the others start. On failure those already
 * up are stopped.
 */
export async function startServers(
  model: string,
  ranges: readonly BlockRange[],
  options: StartOptions & { args?: readonly string[] } = {}
): Promise<PeerProcess[]> {
  const serve = ({ first, end }: BlockRange, join: readonly string[]): Promise<PeerProcess> =>
    startPeer(
      [
        'serve',
        model,
        '--blocks',
        `${first}-${end}`,
        '--host',
        '127.0.0.1',
        '--no-identity',
        ...join,
        ...(options.args ?? [])
      ],
      options
    )
  const seed = await serve(ranges[0]!, [])
  const others = await Promise.allSettled(ranges.slice(1).map(range => serve(range, ['--join', seed.address])))
  const up = [seed, ...others.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))]
  const failed = others.find(result => result.status === 'rejected')
  if (failed !== undefined) {
    await Promise.all(up.map(peer => peer.stop()))
    throw failed.reason
  }
  return up
}
