// What Node gives to the code that runs on it, as a world has it: time, random numbers, sockets, files, the device's thread.

import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import tty from 'node:tty'
import { GiB } from '../../../common/units.ts'
import { current, type Incarnation } from '../machine.ts'
import { World } from '../world.ts'
import { type DeviceReadings, replaceDeviceThread } from './device.ts'
import { type FileReadings, replaceFiles } from './files.ts'
import { replaceRandom } from './random.ts'
import { replaceSockets, type SocketReadings } from './sockets.ts'
import { replaceTimers } from './timers.ts'

/** What every machine of a world has. */
const [memoryBytes, cores] = [8 * GiB, 2]

export interface Platform extends DeviceReadings, FileReadings, SocketReadings {
  /** Makes another world the one that code runs in. */
  enter(world: World): void
}

let platform: Platform | undefined

/**
 * Replaces what Node gives, once for this process and for good: before any module is loaded that keeps a timer or a random
 * number for later. Until a world is entered there is one of its own for what modules do as they are loaded.
 */
export function installPlatform(): Platform {
  if (platform !== undefined) return platform
  let world = new World({ seed: 0 })
  const now = (): World => world
  replaceTimers(now)
  replaceRandom(now)
  const readings = { ...replaceSockets(now), ...replaceFiles(now), ...replaceDeviceThread(now) }
  const { tmpdir, homedir } = os
  Object.assign(os, {
    tmpdir: () => current()?.machine.folder ?? tmpdir(),
    homedir: () => current()?.home ?? homedir(),
    availableParallelism: () => cores,
    totalmem: () => memoryBytes,
    freemem: () => memoryBytes / 2,
    networkInterfaces: () => {
      const address = current()?.machine.address
      return address === undefined
        ? {}
        : { eth0: [{ address, family: 'IPv4', internal: false, netmask: '255.255.255.0' }] }
    }
  })
  // asked by a logger for every stream
  tty.isatty = () => false
  // machines have homes of their own
  delete process.env.SWARM_HOME
  process.availableMemory = () => memoryBytes / 2
  syncBuiltinESMExports()
  platform = {
    ...readings,
    enter(next: World): void {
      world = next
    }
  }
  return platform
}

export type { Incarnation }
