// What a run is a run of: model, data and settings. A checkpoint is only resumed by the run that it is of.
import { SwarmError } from '../../../common/errors.ts'
import type { Example } from '../data/index.ts'

/** Name -> value; what differs between two runs is told by these names. Plain JSON. */
export type RunIdentity = Readonly<Record<string, unknown>>

const hex = (bytes: ArrayBuffer): string =>
  Array.from(new Uint8Array(bytes), byte => byte.toString(16).padStart(2, '0')).join('')

/** Examples that are hashed together: bounds the memory that a large dataset takes. */
const hashedTogether = 4096

/** An example as whole numbers; only what it has beside ids and labels comes after them. */
function wordsOf({ ids, labels, areNumbers, typeIds = [], others = [] }: Example): number[] {
  const known = areNumbers ? [...new Int32Array(new Float64Array(labels).buffer)] : labels
  return [ids.length, ...ids, labels.length, ...known, ...typeIds, ...others.flatMap(other => [other.length, ...other])]
}

/** SHA-256 in hex over token ids and labels of all examples in their order: a hash over the hashes of every few thousand. */
export async function hashExamples(examples: readonly Example[]): Promise<string> {
  const hashes: string[] = []
  for (let first = 0; first < examples.length; first += hashedTogether) {
    const part = examples.slice(first, first + hashedTogether)
    const words = part.flatMap(wordsOf)
    hashes.push(hex(await crypto.subtle.digest('SHA-256', Int32Array.from(words))))
  }
  return hex(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(hashes.join('\n'))))
}

/** Enough of a hash to tell two of them apart. */
const shownDigits = 8

/** A value, as JSON, as messages have it. */
function shown(json: string | undefined): string {
  return (json ?? 'nothing').replace(/^"([0-9a-f]{32,})"$/, (_, hash: string) => hash.slice(0, shownDigits))
}

/** `peft: { r: 8 }` -> `peft.r: 8`, so that a difference is named where it is. */
function flat(value: unknown, path: string): [string, string][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[path, JSON.stringify(value)]]
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, path === '' ? key : `${path}.${key}`))
}

/** Why a difference matters, where the name does not say it. */
const reasons: Readonly<Record<string, string>> = {
  'peft.totalStep': ', and its ranks follow the length: give total_step as it was to go on with those it has'
}

/** Another task has other data, and another method other settings: what of them differs says nothing more. */
const implied: Readonly<Record<string, RegExp>> = {
  task: /^(dataset|validation)\./,
  'dataset.sha256': /^validation\./,
  'peft.peftType': /^peft\./
}

/** Throws INVALID_ARGUMENT that names the differences between the run of a checkpoint and this one. */
export function checkIdentity(saved: RunIdentity, present: RunIdentity, where: string): void {
  const [before, now] = [saved, present].map(identity => new Map(flat(JSON.parse(JSON.stringify(identity)), '')))
  const names = [...new Set([...before!.keys(), ...now!.keys()])].filter(name => before!.get(name) !== now!.get(name))
  const differences = names
    .filter(name => !names.some(other => other !== name && implied[other]?.test(name)))
    .map(
      name =>
        `${name}: the checkpoint has ${shown(before!.get(name))}, this run ${shown(now!.get(name))}${reasons[name] ?? ''}`
    )
  if (differences.length === 0) return
  throw new SwarmError(
    'INVALID_ARGUMENT',
    `${where} is of another run (${differences.join('; ')}): resume with the original settings, or start a new run in another folder`
  )
}
