// Findings of swarm doctor's checks, and the interpretation of measured values. Pure.
import { messageOf } from '../../common/errors.ts'
import { plural } from '../../common/plural.ts'
import { formatBytes, GiB, minute, second } from '../../common/units.ts'
import type { ProbeAnswer } from '../../network/discovery/probe.ts'
import type { DialFailure } from '../../network/state/dial-failure.ts'
import { stateSentence } from '../../network/state/sentences.ts'
import type { ModelName, SwarmState, SwarmStateKind } from '../../network/state/swarm-state.ts'
import { defaultWeightBytes } from '../../server/memory/plan.ts'

export type FindingStatus = 'ok' | 'warn' | 'fail'

export interface Finding {
  readonly check: string
  readonly status: FindingStatus
  readonly message: string
  /** what to do about it */
  readonly mend?: string
}

export const ok = (check: string, message: string): Finding => ({ check, status: 'ok', message })
export const warn = (check: string, message: string, mend: string): Finding => ({
  check,
  status: 'warn',
  message,
  mend
})
export const fail = (check: string, message: string, mend: string): Finding => ({
  check,
  status: 'fail',
  message,
  mend
})

/** Announcements live for minutes: clocks that differ by less do no harm. */
const clockWarnMs = 10 * second
const clockFailMs = 2 * minute

/** Our clock against those of peers; the median of them counts, so that one wrong peer is not believed. */
export function judgeClock(answers: readonly Pick<ProbeAnswer, 'clockAheadMs' | 'clockErrorMs'>[]): Finding {
  const sorted = [...answers].sort((a, b) => a.clockAheadMs - b.clockAheadMs)
  const median = sorted[sorted.length >> 1]
  if (!median) return warn('clock', 'no peer to compare it with', 'name a peer by --join or --swarm')
  const { clockAheadMs, clockErrorMs } = median
  const off = Math.abs(clockAheadMs) - clockErrorMs
  const side = clockAheadMs > 0 ? 'behind' : 'ahead of'
  const seconds = Math.max(0, Math.abs(clockAheadMs) / second).toFixed(1)
  const message = `${seconds} s ${side} the clocks of ${plural(answers.length, 'peer')}`
  const mend = 'set the clock, for instance by timedatectl set-ntp true'
  if (off >= clockFailMs) return fail('clock', `${message}: announcements look expired`, mend)
  return off >= clockWarnMs ? warn('clock', message, mend) : ok('clock', message)
}

/** Whether peers could connect to the addresses that we listen on. @param fixed the port is one that the user chose */
export function judgeReach(answers: readonly ProbeAnswer[], fixed: boolean): Finding {
  if (answers.length === 0) return warn('reachability', 'no peer to ask', 'name a peer by --join or --swarm')
  const dialed = answers.flatMap(answer => answer.dialed.flatMap(result => result ?? []))
  const reached = dialed.find(({ failure }) => failure === '')
  if (reached) return ok('reachability', `peers connect to ${reached.address.replace(/\/p2p\/.*/, '')}`)
  const judge = fixed ? fail : warn
  const mend =
    'forward the port and tell others by --announce, or serve with --nat and a peer with --relay; clients need none of it'
  if (dialed.length === 0) {
    return judge(
      'reachability',
      `peers see this machine at ${answers[0]!.seenAs}, no address of its own: a router is between`,
      mend
    )
  }
  const [{ address, failure }] = dialed as [{ address: string; failure: string }]
  return judge(
    'reachability',
    `peers cannot connect to ${address.replace(/\/p2p\/.*/, '')} (${failure}): a firewall?`,
    mend
  )
}

/** Whether this machine can compute. @param read gives the version of ONNX Runtime; throws where it does not load */
export function judgeRuntime(read: () => string): Finding {
  try {
    return ok('runtime', `ONNX Runtime ${read()}, Node ${process.versions.node}`)
  } catch (error) {
    const [, what, command] = /^(.*?)(?:\. Run: (.*))?$/s.exec(messageOf(error))!
    return fail(
      'runtime',
      what!,
      command === undefined ? 'use a platform and a Node of docs/platforms.md' : `run: ${command}`
    )
  }
}

const diskFailBytes = 1 * GiB
const diskWarnBytes = 5 * GiB

/** @param freeBytes where converted weights and downloads are kept */
export function judgeDisk(freeBytes: number, folder: string): Finding {
  const message = `${formatBytes(freeBytes)} free in ${folder}`
  const mend = 'make room, or set SWARM_HOME (and HF_HOME for downloads) to a larger disk'
  if (freeBytes < diskFailBytes) return fail('disk', message, mend)
  return freeBytes < diskWarnBytes ? warn('disk', message, mend) : ok('disk', message)
}

/** How many blocks fit. @param blockBytes of one block in float32; undefined without a model */
export function judgeMemory(availableBytes: number, model?: { blockBytes: number; numBlocks: number }): Finding {
  const available = `${formatBytes(availableBytes)} available`
  const mend = 'end other programs, or serve fewer blocks (--num-blocks) in fewer bits (--dtype int8, int4)'
  if (!model) return availableBytes < GiB ? warn('memory', available, mend) : ok('memory', available)
  const fit = Math.min(model.numBlocks, Math.floor(defaultWeightBytes(availableBytes) / model.blockBytes))
  const message = `${available}: room for ${fit} of ${model.numBlocks} blocks of ${formatBytes(model.blockBytes)} in fp32`
  if (fit === 0) return fail('memory', message, mend)
  return ok('memory', message)
}

const release = (version: string) => version.split('.').slice(0, 2).join('.')

/** @param theirs versions of peers */
export function judgeVersions(own: string, theirs: readonly string[]): Finding {
  const others = [...new Set(theirs.filter(version => release(version) !== release(own)))].sort()
  if (theirs.length === 0) return ok('versions', `this is ${own}; no peer to compare it with`)
  if (others.length === 0) return ok('versions', `this is ${own}, as the peers`)
  const message = `this is ${own}, peers have ${others.join(', ')}`
  return warn('versions', message, 'update swarmtune where it is older')
}

/** A state that one can wait for, or that the first server of a swarm ends by itself, is no failure. */
const warnings: ReadonlySet<SwarmStateKind> = new Set([
  'no-way-in',
  'none-found',
  'no-server',
  'other-model',
  'joining'
])

/** What keeps this machine from a swarm or a model, in the words of the state. */
export function judgeState(check: string, state: SwarmState): Finding {
  const { what, next } = stateSentence(state, 'cli')
  return (warnings.has(state.kind) ? warn : fail)(check, what, next)
}

/** The local checkpoint against what the swarm serves. */
export function judgeModel({ identity, name }: ModelName, state: SwarmState): Finding {
  if (state.kind !== 'complete') return judgeState('model', state)
  return ok('model', `the swarm serves every block of ${name} (${identity.slice(0, 8)})`)
}

/** Addresses to join that are dead although another answers. */
export function judgeAddresses(dials: readonly DialFailure[]): Finding[] {
  const next = 'remove or correct this address: --join, SWARM_JOIN, or the invite that names it'
  return dials.map(({ address, reason }) => warn('address', `${address}: ${reason}`, next))
}

/** Peers that answer and servers that are known, in words. */
export function judgePeers(peers: number, servers: number): Finding {
  if (peers === 0)
    return warn('swarm', 'a peer is connected, and none answers questions', 'update the peers of this swarm')
  const known = `${plural(servers, 'server')} ${servers === 1 ? 'is' : 'are'} known`
  return ok('swarm', `${plural(peers, 'peer')} ${peers === 1 ? 'answers' : 'answer'}, ${known}`)
}
