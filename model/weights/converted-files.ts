// The cache of converted blocks: names of its files, and clean-up of outdated ones.

import { readdir, readFile, realpath, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { settled } from '../../common/async.ts'
import { removeLeftovers } from '../../common/files/leftovers.ts'
import { day } from '../../common/units.ts'
import type { Precision } from '../quantize/precision.ts'

/**
 * Names of precisions in the names of converted files. The number increases with every change of content or method, so
 * that no build uses another build's files.
 */
const versions: Readonly<Record<Precision, string>> = { float32: 'float32', int8: 'int8-3', int4: 'int4-3' }

/**
 * Outdated conversions that were not taken into use for so long are removed, unless a process of this machine has them mapped: those of
 * another version; and those with copies of another maker, which may be another machine that shares the folder.
 */
const unusedMs = { version: 7 * day, maker: 30 * day } as const

/** A file's name; `maker` identifies the creator of its copies. */
export function convertedName(block: number, source: string, precision: Precision, maker?: string): string {
  const stem = `block-${String(block).padStart(3, '0')}.${source.slice(0, 8)}.${versions[precision]}`
  return `${maker === undefined ? stem : `${stem}.${maker}`}.safetensors`
}

const pattern = /^block-\d{3,}\.[0-9a-f]{8}\.((?:float32|int8|int4)(?:-\d+)?)(?:\.([0-9a-f]{8}))?\.safetensors$/

/** `int8-3` as its precision and number; without one it is 0. */
function splitVersion(version: string): { precision: Precision; number: number } {
  const [precision, number = '0'] = version.split('-') as [Precision, string?]
  return { precision, number: Number(number) }
}

/**
 * Why this build would not use a converted file: an earlier version, or copies of another maker. null if it would, and
 * for files of a later release, which removes them itself.
 */
export function outdatedBy(name: string, maker?: string): keyof typeof unusedMs | null {
  const found = pattern.exec(name)
  if (found === null) return null
  const [, version, madeBy] = found
  const { precision, number } = splitVersion(version!)
  const own = splitVersion(versions[precision]).number
  if (number !== own) return number < own ? 'version' : null
  return madeBy !== undefined && maker !== undefined && madeBy !== maker ? 'maker' : null
}

/** Marks a converted file as used, for the clean-up. Never throws: a cache may be read only. */
export async function touch(path: string): Promise<void> {
  const now = new Date()
  await settled(utimes(path, now, now))
}

/**
 * Files below a folder that a process of this machine has mapped or open, as far as this process may see; null if it is
 * unknown.
 */
async function filesInUse(folder: string): Promise<ReadonlySet<string> | null> {
  const pids = await readdir('/proc').catch(() => null)
  if (pids === null || !pids.includes('self')) return null
  const used = new Set<string>()
  for (const pid of pids) {
    if (!/^\d+$/.test(pid)) continue
    const maps = await readFile(`/proc/${pid}/maps`, 'utf8').catch(() => '')
    for (const line of maps.split('\n')) {
      const at = line.indexOf('/')
      if (at !== -1 && line.startsWith(folder, at)) used.add(line.slice(at))
    }
  }
  return used
}

/** Outdated conversions that are not in use. */
async function removeOutdated(folder: string, maker: string | undefined): Promise<string[]> {
  const removed: string[] = []
  const outdated = (await readdir(folder).catch(() => [])).filter(name => outdatedBy(name, maker) !== null)
  if (outdated.length === 0) return removed
  const real = await realpath(folder)
  const used = await filesInUse(real)
  for (const name of outdated) {
    const path = join(real, name)
    const unused = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0
    )
    if (unused < unusedMs[outdatedBy(name, maker)!] || used?.has(path)) continue
    // Windows keeps a file that a process has mapped
    await rm(path).then(
      () => removed.push(path),
      () => {}
    )
  }
  return removed
}

/** Folders and makers. Of the process: every span that loads would list the same folder again. */
const cleaned = new Set<string>()

/**
 * Removes from a cache folder what conversions that were cut off have left, and conversions of other builds that no
 * process uses. Runs once per folder and process. Never throws.
 * @param maker of the copies that this process makes
 * @returns paths that were removed
 */
export async function cleanCache(cacheDir: string, maker?: string): Promise<string[]> {
  const key = `${cacheDir} ${maker}`
  if (cleaned.has(key)) return []
  cleaned.add(key)
  const removed: string[] = []
  for (const identity of await readdir(cacheDir).catch(() => [])) {
    if (!/^[0-9a-f]{64}$/.test(identity)) continue
    const folder = join(cacheDir, identity)
    removed.push(...(await removeLeftovers(folder, target => pattern.test(target))))
    removed.push(...(await removeOutdated(folder, maker)))
  }
  return removed
}
