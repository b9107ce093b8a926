// swarm doctor: finds what keeps this machine from joining the swarm, and suggests fixes.

import { statfs } from 'node:fs/promises'
import { Command } from 'commander'
import { pause, within } from '../../common/async.ts'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/files/folders.ts'
import type { Logger } from '../../common/logger.ts'
import { startOrStop } from '../../common/resource.ts'
import { second } from '../../common/units.ts'
import { version } from '../../common/version.ts'
import { type Checkpoint, openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { joinTimeoutMs, multicastSettleMs } from '../../network/constants.ts'
import type { Announcement } from '../../network/discovery/announcement.ts'
import { type ProbeAnswer, probe } from '../../network/discovery/probe.ts'
import { surveySwarm } from '../../network/discovery/survey.ts'
import { createNetwork, type JoinResult, type Network } from '../../network/node.ts'
import { SwarmStateError } from '../../network/state/error.ts'
import { type ModelName, modelsOf, swarmState } from '../../network/state/swarm-state.ts'
import { protocols } from '../../proto/protocols.ts'
import { ortVersion } from '../../runtime/library.ts'
import { blockBytes } from '../../server/memory/plan.ts'
import {
  type Finding,
  fail,
  judgeAddresses,
  judgeClock,
  judgeDisk,
  judgeMemory,
  judgeModel,
  judgePeers,
  judgeReach,
  judgeRuntime,
  judgeState,
  judgeVersions,
  ok,
  warn
} from '../doctor/finding.ts'
import { checkMulticast } from '../doctor/multicast.ts'
import { type Access, type AccessFlags, addAccessOptions, networkAccess, readAccess } from '../options/access.ts'
import { hubOptions } from '../options/hub.ts'
import { addListenOptions, type ListenFlags, listenAddresses } from '../options/listening.ts'
import { homeFolder, jsonOption } from '../options/options.ts'
import type { LogLevel } from '../terminal/log.ts'
import { addLogOptions } from '../terminal/log-options.ts'
import { whileWaiting } from '../terminal/progress.ts'
import { createLogger, interruptSignal, paintState, print } from '../terminal/terminal.ts'

interface DoctorFlags extends AccessFlags, ListenFlags {
  logLevel: LogLevel
  json?: boolean
}

interface SwarmToCheck {
  readonly listen: readonly string[]
  readonly entry: ReturnType<typeof networkAccess>
  readonly checkpoint: Checkpoint | undefined
  /** whether the user chose the port, so that it may be forwarded */
  readonly isFixed: boolean
}

const maxProbed = 5
/** longest look: multicast and dead addresses take 15 s */
const lookTimeoutMs = 40 * second

export function doctorCommand(): Command {
  return addLogOptions(
    addListenOptions(addAccessOptions(new Command('doctor'), { listens: true }), { port: 0 }),
    'silent'
  )
    .description(
      'check the runtime, ports, reachability, multicast, clock, versions, model, disk and memory; suggest fixes'
    )
    .argument('[model]', 'checkpoint to compare with what the swarm serves')
    .addOption(jsonOption())
    .action(doctor)
}

/** The access that the flags name, or why there is none. */
async function checkAccess(flags: DoctorFlags): Promise<{ access?: Access; finding?: Finding }> {
  try {
    return { access: await readAccess(flags) }
  } catch (error) {
    return { finding: fail('access', messageOf(error), 'correct the flag or the file that it names') }
  }
}

async function checkDisk(): Promise<Finding> {
  let folder: string
  try {
    folder = homeFolder()
  } catch (error) {
    return warn('disk', 'this user has no home folder', messageOf(error).replace(/^.*?: /, ''))
  }
  try {
    await makeFolder(folder, { mode: 0o700 })
    const { bavail, bsize } = await statfs(folder)
    return judgeDisk(bavail * bsize, folder)
  } catch (error) {
    return fail('disk', `${folder}: ${messageOf(error)}`, 'make the folder writable, or set SWARM_HOME to another')
  }
}

async function checkCheckpoint(path: string, signal: AbortSignal): Promise<Checkpoint | Finding> {
  try {
    return await openCheckpoint(path, { signal, hub: hubOptions({}), blocksOnly: true })
  } catch (error) {
    return fail('model', messageOf(error), 'give the folder, GGUF file or hub name of a checkpoint')
  }
}

/** Asks peers about our clock, version and addresses. */
async function probePeers(network: Network, signal: AbortSignal): Promise<ProbeAnswer[]> {
  const peers = (await network.peersWith(protocols.probe)).slice(0, maxProbed)
  const answers = await Promise.allSettled(peers.map(peer => probe(network, peer, network.addresses, { signal })))
  return answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []))
}

/** The states of all models that are announced, and of the one that the user has. */
function judgeModels(
  servers: readonly Announcement[],
  checkpoint: Checkpoint | undefined,
  swarm: string | undefined
): Finding[] {
  const stateOf = (model: ModelName, numBlocks: number) => {
    const seen = servers.filter(server => server.model === model.identity)
    const blocks = { first: 0, end: numBlocks }
    return swarmState({
      connected: 1,
      swarm,
      model,
      blocks,
      servers: seen,
      served: modelsOf(servers),
      needs: ['inference']
    })
  }
  if (checkpoint) {
    const { identity, name, config } = checkpoint
    return [judgeModel({ identity, name }, stateOf({ identity, name }, config.numBlocks))]
  }
  const states = modelsOf(servers).map(model => stateOf(model, model.totalBlocks))
  return states.filter(({ kind }) => kind !== 'complete').map(state => judgeState('model', state))
}

/** Listens as a server would, then joins the swarm. */
async function checkSwarm(
  flags: DoctorFlags,
  access: Access,
  checkpoint: Checkpoint | undefined,
  signal: AbortSignal
): Promise<Finding[]> {
  const logger = createLogger(flags.logLevel)
  let listen: string[]
  let entry: SwarmToCheck['entry']
  try {
    listen = await listenAddresses(flags)
  } catch (error) {
    return [fail('ports', messageOf(error), 'correct --host')]
  }
  try {
    entry = networkAccess(access, { listen, ...(checkpoint ? { model: checkpoint.identity } : { anyModel: true }) })
  } catch (error) {
    return error instanceof SwarmError && error.code === 'MODEL_MISMATCH'
      ? [fail('model', messageOf(error), 'use the checkpoint that the swarm is for')]
      : [fail('access', messageOf(error), 'correct the address')]
  }
  const alone = await createNetwork({ listen, logger })
  try {
    await alone.start()
  } catch (error) {
    return [fail('ports', messageOf(error), 'stop what uses it, or choose another --port or --host')]
  } finally {
    await alone.stop()
  }
  const swarm = { listen, entry, checkpoint, isFixed: flags.port !== 0 }
  return [ok('ports', `can listen on ${listen.join(', ')}`), ...(await joinSwarm(swarm, logger, signal))]
}

/** Joins as a server would, and asks the peers that answer. Throws ABORTED. */
async function joinSwarm(
  { listen, entry, checkpoint, isFixed }: SwarmToCheck,
  logger: Logger,
  signal: AbortSignal
): Promise<Finding[]> {
  if (entry.join?.length === 0 && entry.multicastTag === undefined)
    return [judgeState('swarm', swarmState({ connected: 0, swarm: entry.swarmName }))]
  const found: Finding[] = []
  const tried = Promise.withResolvers<void>()
  const dials: JoinResult[] = []
  const onDialed = (result: JoinResult): void => {
    dials.push(result)
    if (dials.length === entry.join!.length) tried.resolve()
  }
  const network = await createNetwork({
    listen,
    patient: false,
    isGuest: true,
    onDialed,
    logger,
    ...entry
  })
  try {
    await startOrStop(network, signal)
    if (entry.multicastTag !== undefined) await pause(multicastSettleMs, signal)
    const [servers, answers] = await Promise.all([surveySwarm(network, { signal }), probePeers(network, signal)])
    // the first address that answers is enough to start: the others are told too
    if (entry.join!.length > 0) await within(joinTimeoutMs, tried.promise, signal)
    found.push(judgePeers(answers.length, servers.length))
    found.push(...judgeAddresses(dials.flatMap(({ failure }) => failure ?? [])))
    found.push(judgeReach(answers, isFixed), judgeClock(answers))
    const versions = [...answers, ...servers].map(peer => peer.version)
    found.push(judgeVersions(version, versions), ...judgeModels(servers, checkpoint, entry.swarmName))
  } catch (error) {
    if (error instanceof SwarmError && error.code === 'ABORTED') throw error
    if (error instanceof SwarmStateError) found.push(judgeState('swarm', error.state))
    else found.push(fail('swarm', messageOf(error), 'check address, firewall, and that the invite is the newest'))
  } finally {
    await network.stop()
  }
  return found
}

async function doctor(path: string | undefined, flags: DoctorFlags): Promise<void> {
  const interrupt = interruptSignal()
  const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(lookTimeoutMs)])
  const { access, finding } = await checkAccess(flags)
  const opened = path === undefined ? undefined : await checkCheckpoint(path, signal)
  const checkpoint = opened !== undefined && 'identity' in opened ? opened : undefined
  const found: Finding[] = [
    judgeRuntime(ortVersion),
    ...(finding ? [finding] : []),
    ...(opened !== undefined && 'status' in opened ? [opened] : []),
    ...(access ? await whileWaiting('checking the swarm', () => checkSwarm(flags, access, checkpoint, signal)) : []),
    ...(flags.mdns ? [await whileWaiting('checking multicast', () => checkMulticast())] : []),
    await checkDisk(),
    judgeMemory(
      process.availableMemory(),
      checkpoint && { blockBytes: blockBytes(checkpoint, 'float32'), numBlocks: checkpoint.config.numBlocks }
    )
  ]
  interrupt.release()
  const failed = found.some(({ status }) => status === 'fail')
  if (flags.json) print(JSON.stringify({ ok: !failed, findings: found }, null, 2))
  else {
    for (const { check, status, message, mend } of found) {
      print(
        `${paintState(status, status.padEnd(5))} ${check.padEnd(13)} ${message.replaceAll('\n', '\n                    ')}`
      )
      if (mend !== undefined) print(`      ${''.padEnd(13)} → ${mend}`)
    }
  }
  if (failed) process.exitCode = 1
}
