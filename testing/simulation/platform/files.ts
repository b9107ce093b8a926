// Node's files for the processes of a world: real ones, read and written at once instead of by a thread, on disks that may be full.
import fs from 'node:fs'
import promises from 'node:fs/promises'
import { current, type Incarnation } from '../machine.ts'
import type { World } from '../world.ts'

/** What a call takes: the least, and what is drawn on top of it. */
const [callMs, callJitterMs] = [0.05, 0.4]

type Call = (...values: never[]) => unknown
const sync = fs as unknown as Record<string, Call>
const real = { ...promises } as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>

const names = [
  ...['access', 'appendFile', 'chmod', 'copyFile', 'cp', 'link', 'lstat', 'mkdir', 'mkdtemp', 'readFile', 'readdir'],
  ...[
    'readlink',
    'realpath',
    'rename',
    'rm',
    'rmdir',
    'stat',
    'statfs',
    'symlink',
    'truncate',
    'unlink',
    'utimes',
    'writeFile'
  ]
] as const

const lengthOf = (data: unknown): number =>
  typeof data === 'string' ? Buffer.byteLength(data) : ArrayBuffer.isView(data) ? data.byteLength : 0

export interface FileReadings {
  /** files that are open, by process */
  filesOf(process: Incarnation): number
}

/** Puts files that answer in virtual time in the place of `fs/promises`. @param world the world of the moment */
export function replaceFiles(world: () => World): FileReadings {
  const open = new WeakMap<Incarnation, Set<VirtualFile>>()
  const openOf = (owner: Incarnation): Set<VirtualFile> => {
    const known = open.get(owner) ?? new Set()
    open.set(owner, known)
    return known
  }

  /** Calls in a moment of virtual time, unless the process has died by then. */
  const later = <T>(owner: Incarnation, call: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const ms = callMs + callJitterMs * world().random('disk').uniform()
      const run = (): void => {
        try {
          resolve(call())
        } catch (error) {
          reject(error)
        }
      }
      world().clock.after(ms, run, owner)
    })

  /** Takes the room that bytes need; what does not fit is cut off, and then throws as a full disk does. */
  const taking = <T>({ machine }: Incarnation, bytes: number, write: (most: number) => T): T => {
    const fits = Math.min(bytes, machine.freeBytes)
    const result = write(fits)
    machine.freeBytes -= fits
    if (fits === bytes) return result
    world().trace('disk full', machine.name)
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
      errno: -28,
      syscall: 'write'
    })
  }

  const cut = (data: unknown, most: number): string | Uint8Array => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : (data as Uint8Array)
    return bytes.byteLength <= most ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, most)
  }

  /** As Node's `FileHandle`. */
  class VirtualFile {
    readonly #owner: Incarnation
    readonly fd: number
    #isOpen = true
    readonly #forget: () => void

    constructor(owner: Incarnation, fd: number) {
      this.#owner = owner
      this.fd = fd
      openOf(owner).add(this)
      this.#forget = world().onDeath(owner, () => this.#close())
    }

    #close(): void {
      if (!this.#isOpen) return
      this.#isOpen = false
      this.#forget()
      openOf(this.#owner).delete(this)
      fs.closeSync(this.fd)
    }

    close(): Promise<void> {
      return later(this.#owner, () => this.#close())
    }

    [Symbol.asyncDispose](): Promise<void> {
      return this.close()
    }

    read(first: Uint8Array | fs.ReadSyncOptions, ...rest: [number?, number?, (number | null)?]) {
      return later(this.#owner, () => {
        if (!ArrayBuffer.isView(first)) throw new Error('FileHandle.read without a buffer: not simulated')
        const [offset = 0, length = first.byteLength - offset, position = null] = rest
        return { bytesRead: fs.readSync(this.fd, first, offset, length, position), buffer: first }
      })
    }

    write(data: Uint8Array, ...rest: [number?, number?, (number | null)?]) {
      const [offset = 0, length = data.byteLength - offset, position = null] = rest
      return later(this.#owner, () => ({
        bytesWritten: taking(this.#owner, length, most => fs.writeSync(this.fd, data, offset, most, position)),
        buffer: data
      }))
    }

    writeFile(data: string | Uint8Array) {
      return later(this.#owner, () =>
        taking(this.#owner, lengthOf(data), most => {
          const bytes = cut(data, most)
          fs.writeFileSync(this.fd, bytes)
        })
      )
    }

    appendFile(data: string | Uint8Array) {
      return this.writeFile(data)
    }

    readFile(options: fs.ObjectEncodingOptions = {}) {
      return later(this.#owner, () => fs.readFileSync(this.fd, options as { encoding: BufferEncoding }))
    }

    stat() {
      return later(this.#owner, () => fs.fstatSync(this.fd))
    }

    truncate(length?: number) {
      return later(this.#owner, () => fs.ftruncateSync(this.fd, length))
    }

    sync() {
      return later(this.#owner, () => {})
    }

    datasync() {
      return later(this.#owner, () => {})
    }
  }

  const virtual = (name: string, owner: Incarnation, values: readonly unknown[]): Promise<unknown> => {
    const call = sync[`${name}Sync`] as (...values: unknown[]) => unknown
    if (name !== 'writeFile' && name !== 'appendFile') return later(owner, () => call(...values))
    const [path, data, options] = values
    const bytes = lengthOf(data)
    const write = (): unknown => taking(owner, bytes, most => call(path, cut(data, most), options))
    if (name === 'appendFile' || bytes < 2) return later(owner, write)
    // a process may end in the midst of it
    return later(owner, () => call(path, cut(data, Math.min(bytes >> 1, owner.machine.freeBytes)), options)).then(() =>
      later(owner, write)
    )
  }

  const replaced = Object.fromEntries(
    names.map(name => [
      name,
      (...values: unknown[]) => {
        const owner = current()
        return owner === undefined ? real[name]!(...values) : virtual(name, owner, values)
      }
    ])
  )
  const openFile = (path: fs.PathLike, flags?: fs.OpenMode, mode?: fs.Mode) => {
    const owner = current()
    if (owner === undefined) return real.open!(path, flags, mode)
    return later(owner, () => new VirtualFile(owner, fs.openSync(path, flags ?? 'r', mode)))
  }
  Object.assign(promises, replaced, { open: openFile })
  return { filesOf: process => openOf(process).size }
}
