// swarm doctor: what keeps this machine from being in the swarm, and how to mend it.

import { statfs } from 'node:fs/promises'
import { Command } from 'commander'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/folders.ts'
import { bytesOf } from '../../common/tensor.ts'
import { second } from '../../common/units.ts'
import { version } from '../../common/version.ts'
import { type Checkpoint, openCheckpoint } from '../../model/checkpoint/checkpoint.ts'
import { findServers } from '../../network/discovery/discovery.ts'
import { type ProbeAnswer, probe } from '../../network/discovery/probe.ts'
import { createNetwork, type Network } from '../../network/node.ts'
import { protocols } from '../../proto/protocols.ts'
import { type Access, type AccessFlags, addAccessOptions, networkAccess, readAccess } from '../access.ts'
import {
  type Finding,
  fail,
  judgeClock,
  judgeDisk,
  judgeMemory,
  judgeModel,
  judgeReach,
  judgeVersions,
  ok,
  warn
} from '../doctor/finding.ts'
import { checkMulticast } from '../doctor/multicast.ts'
import { hubOptions } from '../hub.ts'
import { addListenOptions, type ListenFlags, listenAddresses } from '../listening.ts'
import type { LogLevel } from '../log.ts'
import { addLogOptions } from '../log-options.ts'
import { homeFolder, jsonOption } from '../options.ts'
import { createLogger, interruptSignal, print } from '../terminal.ts'

interface DoctorFlags extends AccessFlags, ListenFlags {
  logLevel: LogLevel
  json?: boolean
}

const maxProbed = 5
const lookTimeoutMs = 20 * second

export function doctorCommand(): Command {
  return addLogOptions(
    addListenOptions(addAccessOptions(new Command('doctor'), { listens: true }), { port: 0 }),
    'silent'
  )
    .description(
      'check ports, reachability, multicast, clock, versions, model, disk and memory, and say how to mend them'
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
  const folder = homeFolder()
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

/** Bytes of the largest block in float32. */
function blockBytes({ config, family }: Checkpoint): number {
  const sizes = Array.from({ length: config.numBlocks }, (_, block) =>
    family.blockTensors(config, block).reduce((sum, { shape }) => sum + bytesOf('float32', shape), 0)
  )
  return Math.max(...sizes)
}

/** Asks peers about our clock, version and addresses. */
async function probePeers(network: Network, signal: AbortSignal): Promise<ProbeAnswer[]> {
  const peers = (await network.peersWith(protocols.probe)).slice(0, maxProbed)
  const answers = await Promise.allSettled(peers.map(peer => probe(network, peer, network.addresses, { signal })))
  return answers.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : []))
}

/** Listens and joins as a server would. */
async function checkSwarm(
  flags: DoctorFlags,
  access: Access,
  checkpoint: Checkpoint | undefined,
  signal: AbortSignal
): Promise<Finding[]> {
  const listen = listenAddresses(flags)
  const logger = createLogger(flags.logLevel)
  let entry: ReturnType<typeof networkAccess>
  try {
    entry = networkAccess(access, { listen, model: checkpoint?.identity })
  } catch (error) {
    return [fail('model', messageOf(error), 'use the checkpoint that the swarm is for')]
  }
  const alone = await createNetwork({ listen, logger })
  try {
    await alone.start()
  } catch (error) {
    return [fail('ports', messageOf(error), 'stop what uses it, or choose another --port or --host')]
  } finally {
    await alone.stop()
  }
  const found: Finding[] = [ok('ports', `can listen on ${listen.join(', ')}`)]
  const network = await createNetwork({ listen, patient: false, ...entry, logger })
  try {
    await network.start()
    const servers = await findServers(network, '', { signal, verify: false })
    const answers = await probePeers(network, signal)
    if (answers.length === 0) {
      found.push(warn('swarm', 'no peer is connected', 'say --join <address> or --swarm <invite>'))
    } else {
      found.push(ok('swarm', `${answers.length} peers answer, ${servers.length} servers are known`))
    }
    found.push(judgeReach(answers, flags.port !== 0), judgeClock(answers))
    found.push(
      judgeVersions(
        version,
        [...answers, ...servers].map(peer => peer.version)
      )
    )
    if (checkpoint) found.push(judgeModel(checkpoint, servers))
  } catch (error) {
    if (error instanceof SwarmError && error.code === 'ABORTED') throw error
    const mend = 'check address, firewall, and that the invite is the newest'
    found.push(fail('swarm', messageOf(error), mend))
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
    ...(finding ? [finding] : []),
    ...(opened !== undefined && 'status' in opened ? [opened] : []),
    ...(access ? await checkSwarm(flags, access, checkpoint, signal) : []),
    ...(flags.mdns ? [await checkMulticast()] : []),
    await checkDisk(),
    judgeMemory(
      process.availableMemory(),
      checkpoint && { blockBytes: blockBytes(checkpoint), numBlocks: checkpoint.config.numBlocks }
    )
  ]
  interrupt.release()
  const failed = found.some(({ status }) => status === 'fail')
  if (flags.json) print(JSON.stringify({ ok: !failed, findings: found }, null, 2))
  else {
    for (const { check, status, message, mend } of found) {
      print(`${status.padEnd(5)} ${check.padEnd(13)} ${message.replaceAll('\n', '\n                    ')}`)
      if (mend !== undefined) print(`      ${''.padEnd(13)} → ${mend}`)
    }
  }
  if (failed) process.exitCode = 1
}
