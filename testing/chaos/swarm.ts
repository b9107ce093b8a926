// A swarm of real processes, each behind a proxy of its own: what others are told is the proxy's address.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PeerProcess, startPeer } from '../../cli/peer/local-swarm.ts'
import type { BlockRange } from '../../common/range.ts'
import { tinyPath } from '../references.ts'
import { ChaosProxy } from './proxy.ts'

export const root = join(import.meta.dirname, '../..')
const preload = join(import.meta.dirname, 'preload.ts')

export interface ChaosServer {
  readonly peer: PeerProcess
  readonly peerId: string
  readonly blocks: BlockRange
  /** that it listens on */
  readonly port: number
  /** in front of it */
  readonly proxy: ChaosProxy
  /** the address that it dials from */
  readonly source: string
}

export interface AddOptions {
  /** how far its clock is ahead */
  readonly clockMs?: number
  /** more flags of `swarm serve` */
  readonly args?: readonly string[]
  readonly env?: Record<string, string>
  /** default: all servers that are up */
  readonly join?: readonly string[]
  /** instead of a new one: after a restart it is where it was */
  readonly place?: { readonly port: number; readonly proxy: ChaosProxy; readonly source: string }
}

export interface ChaosSwarm extends AsyncDisposable {
  readonly home: string
  readonly servers: readonly ChaosServer[]
  add(range: readonly [number, number], options?: AddOptions): Promise<ChaosServer>
  byPeer(peerId: string): ChaosServer
}

/** Whether it runs and nobody has ended or stopped it. */
export const isUp = ({ process: { exitCode, signalCode, killed } }: PeerProcess): boolean =>
  exitCode === null && signalCode === null && !killed

/** Kills a peer, frozen ones too, and waits until it is gone. */
export async function end(peer: PeerProcess): Promise<void> {
  if (peer.process.exitCode !== null || peer.process.signalCode !== null) return
  const gone = once(peer.process, 'exit')
  peer.process.kill('SIGKILL')
  await gone
}

/** A TCP port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Servers of half-open ranges; all join the first, which is up before the others start. */
export async function startChaosSwarm(
  ranges: readonly (readonly [number, number])[],
  options: AddOptions = {}
): Promise<ChaosSwarm> {
  const home = await mkdtemp(join(tmpdir(), 'swarm-chaos-'))
  const servers: ChaosServer[] = []
  const proxies = new Set<ChaosProxy>()
  let added = 0
  const swarm: ChaosSwarm = {
    home,
    servers,
    async add([first, end], more = {}) {
      const up = servers.filter(({ peer }) => isUp(peer)).map(({ peer }) => peer.address)
      const { clockMs = 0, args = [], env = {}, join: peers = up, place } = { ...options, ...more }
      added += 1
      const source = place?.source ?? `127.0.0.${100 + added}`
      const port = place?.port ?? (await freePort())
      const proxy = place?.proxy ?? (await ChaosProxy.open(port))
      proxies.add(proxy)
      const peer = await startPeer(
        [
          ...['serve', tinyPath, '--blocks', `${first}-${end}`, '--threads', '1', '--weights', 'mapped'],
          ...['--host', '127.0.0.1', '--port', `${port}`, '--announce', `/ip4/127.0.0.1/tcp/${proxy.port}`],
          ...(args.includes('--identity') ? [] : ['--no-identity']),
          ...args,
          ...(peers.length === 0 ? [] : ['--join', ...peers])
        ],
        {
          env: {
            SWARM_HOME: join(home, 'data'),
            NODE_OPTIONS: `--expose-gc --import ${preload}`,
            CHAOS_CLOCK_MS: `${clockMs}`,
            CHAOS_SOURCE: source,
            ...env
          }
        }
      )
      const server = { peer, peerId: peer.online.peerId, blocks: { first, end }, port, proxy, source }
      servers.push(server)
      return server
    },
    byPeer(peerId) {
      const found = servers.findLast(server => server.peerId === peerId)
      if (found === undefined) throw new Error(`no server ${peerId}`)
      return found
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map(({ peer }) => end(peer)))
      await Promise.all([...proxies].map(proxy => proxy.close()))
      await rm(home, { recursive: true, force: true })
    }
  }
  try {
    if (ranges.length > 0) await swarm.add(ranges[0]!)
    const others = await Promise.allSettled(ranges.slice(1).map(range => swarm.add(range)))
    const failed = others.find(result => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return swarm
  } catch (error) {
    await swarm[Symbol.asyncDispose]()
    throw error
  }
}
