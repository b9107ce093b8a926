// Locks an identity for one process: two peers with one key would take each other's connections. The lock is a socket
// beside the key, so it always ends with the process.

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
/** wait for another process that removes a stale lock, and time after which it counts as gone */
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

/** The listening socket; undefined if there already is one, live or stale. */
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
 * Removes a stale lock. Only one process at a time does this, because a slower one would remove another process's new
 * lock. While the stale lock exists, no process can listen in its place.
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

/** Locks a key file for this process; the function returned unlocks it. undefined if another peer holds it. */
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

/** As `tryLockIdentity`; throws ADDRESS_IN_USE if another peer runs with the key. */
export async function lockIdentity(path: string): Promise<() => Promise<void>> {
  const unlock = await tryLockIdentity(path)
  if (unlock) return unlock
  throw new SwarmError(
    'ADDRESS_IN_USE',
    `identity file ${path}: a peer with this identity runs already; stop it, or give this one another file`
  )
}
