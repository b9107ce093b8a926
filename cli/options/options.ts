// Flags that several commands share, and the parsing of their values.
import { InvalidArgumentError, Option } from 'commander'
import { stackNames, type TypedRange } from '../../common/stack-ranges.ts'
import { GiB, KiB, MiB, second } from '../../common/units.ts'
import type { Precision } from '../../model/quantize/precision.ts'
import { codecNames } from '../../proto/codec.ts'
import { completeWith } from './completion.ts'

export { homeFolder } from '../../common/files/home.ts'

/**
 * `4-8` -> blocks 4, 5, 6, 7; `encoder:0-6` those of a stack. Whether the model has them is checked where the model is known.
 * @param before ranges of the same flag, given earlier
 */
export function parseBlocks(text: string, before: readonly TypedRange[] = []): readonly TypedRange[] {
  const match = /^(?:([a-z]+):)?(\d+)-(\d+)$/.exec(text)
  const stack = stackNames.find(name => name === match?.[1])
  if (match?.[1] !== undefined && stack === undefined) {
    throw new InvalidArgumentError(`expected encoder:FIRST-END or decoder:FIRST-END, found '${match[1]}'`)
  }
  const range = { ...(stack && { stack }), first: Number(match?.[2]), end: Number(match?.[3]) }
  if (match === null || range.first >= range.end) {
    const fault = match === null ? '' : range.first === range.end ? 'empty range: ' : 'reversed range: '
    throw new InvalidArgumentError(`${fault}expected FIRST-END, half-open: 0-4 means blocks 0, 1, 2, 3`)
  }
  return [...before, range]
}

/** Precisions by the names that people type. */
const dtypeNames = { fp32: 'float32', int8: 'int8', int4: 'int4' } as const satisfies Record<string, Precision>

/** `fp32` -> `float32` */
export function parseDtype(text: string): Precision {
  // `swarm status` and PyTorch say float32
  const found = new Map<string, Precision>([...Object.entries(dtypeNames), ['float32', 'float32']]).get(text)
  if (found !== undefined) return found
  throw new InvalidArgumentError(`expected ${Object.keys(dtypeNames).join(', ')}, found '${text}'`)
}

/** Precision of a server's blocks; flags have 'auto' or a Precision. */
export function dtypeOption(): Option {
  const option = new Option(
    '--dtype <dtype>',
    'precision of the blocks: fp32, int8, int4; auto: fp32 if memory allows, else int8. Quantizes once, into the cache'
  )
    .argParser((text: string) => (text === 'auto' ? text : parseDtype(text)))
    .default('auto')
  return completeWith(option, ['auto', ...Object.keys(dtypeNames)])
}

export function codecOption(fallback: string): Option {
  return new Option('--codec <codec>', `encoding of hidden states on the wire (default: ${fallback})`).choices(
    codecNames
  )
}

export function requireDtypeOption(): Option {
  const option = new Option(
    '--require-dtype <dtype>',
    'use only servers with this precision: fp32, int8, int4 (default: any)'
  ).argParser(parseDtype)
  return completeWith(option, Object.keys(dtypeNames))
}

export function parseWhole(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('expected a whole number')
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError(`expected at most ${Number.MAX_SAFE_INTEGER}`)
  return value
}

export function parsePositive(text: string): number {
  const value = parseWhole(text)
  if (value === 0) throw new InvalidArgumentError('expected a whole number above 0')
  return value
}

/** What a timer of Node can wait, 24 days: it ends a longer one at once. */
const maxSeconds = Math.floor((2 ** 31 - 1) / second)

/** Seconds of a timer, whole ones above 0. */
export function parseSeconds(text: string, most = maxSeconds): number {
  const value = parsePositive(text)
  if (value > most) throw new InvalidArgumentError(`expected at most ${most} seconds`)
  return value
}

export function parseNumber(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number')
  return value
}

export function parseTcpPort(text: string): number {
  const port = parseWhole(text)
  if (port > 65535) throw new InvalidArgumentError('expected a port, 0 to 65535')
  return port
}

const units: Record<string, number> = {
  '': 1,
  B: 1,
  K: KiB,
  KIB: KiB,
  KB: KiB,
  M: MiB,
  MIB: MiB,
  MB: MiB,
  G: GiB,
  GIB: GiB,
  GB: GiB
}

/** `512MiB`, `2G`, `1048576` -> bytes; units are binary. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text)
  const unit = match === null ? undefined : units[match[2]!.toUpperCase()]
  if (unit === undefined) throw new InvalidArgumentError('expected a size such as 512MiB or 2GiB')
  return Math.round(Number(match![1]) * unit)
}

/** `25%` of the time, or `40` tokens per second. */
export function parseMaxRate(text: string): { readonly share: number } | { readonly tokens: number } {
  const match = /^(\d+(?:\.\d+)?)\s*(%|\/s)?$/.exec(text)
  const value = Number(match?.[1])
  const isShare = match?.[2] === '%'
  if (match === null || value === 0 || (isShare && value > 100)) {
    throw new InvalidArgumentError('expected a share such as 25% or tokens per second such as 40')
  }
  return isShare ? { share: value / 100 } : { tokens: value }
}

export const joinOption = () =>
  new Option(
    '-j, --join <address...>',
    'peers to join by: host:port, [IPv6]:port, or a multiaddr (default: peers on the LAN)'
  ).env('SWARM_JOIN')

/** `0.05` */
export function parseShare(text: string): number {
  const value = parseNumber(text)
  if (value < 0 || value > 1) throw new InvalidArgumentError('expected 0 to 1')
  return value
}

export const auditOption = () =>
  new Option(
    '--audit <probability>',
    'recompute this share of the results on other servers, and drop servers that lie (default: 0)'
  ).argParser(parseShare)

export const jsonOption = () => new Option('--json', 'print JSON for programs')

export const untilEofOption = () =>
  new Option('--until-eof', 'stop when standard input ends, for programs that start this one')
