// One identity, one process: two peers with one key would take each other's connections. The lock is a socket beside the
// key, so that it ends with the process, however that ends.

import { createHash } from 'node:crypto'
import { mkdir, rm, rmdir, stat } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { delay, settled } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { second } from '../../common/units.ts'

/** longest path of a socket, everywhere */
const maxSocketPath = 100
const attempts = 20
/** how long another process is waited for that takes a left-over lock away, and when it counts as gone */
const turnMs = 25
const staleTurnMs = 5 * second

/** Where the lock of a key file is. */
function lockPath(path: string): string {
  const whole = resolve(path)
  const name = `swarmtune-${createHash('sha256').update(whole).digest('hex').slice(0, 16)}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`
  const beside = `${whole}.lock`
  return beside.length <= maxSocketPath ? beside : join(tmpdir(), `${name}.lock`)
}

/** The listening socket; undefined where there is one, alive or left over. */
async function listen(path: string): Promise<Server | undefined> {
  const server = createServer(socket => socket.destroy())
  const done = Promise.withResolvers<Server | undefined>()
  server.once('error', error => {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') done.resolve(undefined)
    else done.reject(error)
  })
  server.listen(path, () => done.resolve(server))
  const listening = await done.promise
  // a connection only asks whether the key is locked: one that cannot be accepted has its answer
  listening?.on('error', () => {})
  listening?.unref()
  return listening
}

/** Whether a process holds the lock. */
async function isAlive(path: string): Promise<boolean> {
  const done = Promise.withResolvers<boolean>()
  const socket = connect(path, () => done.resolve(true))
  socket.on('error', () => done.resolve(false))
  const alive = await done.promise
  socket.destroy()
  return alive
}

/**
 * Removes a left-over lock. Only one process at a time does: a slower one would remove the new lock of another process. While the
 * left-over is there, no process can listen in its place.
 */
async function clear(path: string): Promise<void> {
  // pipes end with their process
  if (process.platform === 'win32') return
  const turn = `${path}.clearing`
  try {
    await mkdir(turn)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    await delay(turnMs)
    const since = await stat(turn).catch(() => undefined)
    // its process has ended in the middle
    if (since && Date.now() - since.mtimeMs > staleTurnMs) await settled(rmdir(turn))
    return
  }
  try {
    if (!(await isAlive(path))) await rm(path, { force: true })
  } finally {
    await rmdir(turn)
  }
}

/** Whether a peer runs with the key file now. */
export function isLocked(path: string): Promise<boolean> {
  return isAlive(lockPath(path))
}

/** Locks a key file for this process; the function returned unlocks it. undefined where another peer has it. */
export async function tryLockIdentity(path: string): Promise<(() => Promise<void>) | undefined> {
  const lock = lockPath(path)
  for (let attempt = 0; attempt < attempts; attempt++) {
    const server = await listen(lock)
    if (server) {
      return async () => {
        const closed = Promise.withResolvers<void>()
        server.close(() => closed.resolve())
        await closed.promise
      }
    }
    if (await isAlive(lock)) return undefined
    await clear(lock)
  }
  return undefined
}

/** As `tryLockIdentity`; throws ADDRESS_IN_USE where another peer runs with the key. */
export async function lockIdentity(path: string): Promise<() => Promise<void>> {
  const unlock = await tryLockIdentity(path)
  if (unlock) return unlock
  throw new SwarmError(
    'ADDRESS_IN_USE',
    `identity file ${path}: a peer with this identity runs already; stop it, or give this one another file`
  )
}
