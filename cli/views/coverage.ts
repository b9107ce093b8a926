// The map of a model: who serves which blocks, and how each server is doing, drawn in text. Pure.
import stringWidth from 'string-width'
import { missingRanges, type ServerLoad } from '../../client/survey.ts'
import { plural } from '../../common/plural.ts'
import type { BlockRange } from '../../common/range.ts'
import { listBlocks, type StackSizes } from '../../common/stack-ranges.ts'
import { formatBytes } from '../../common/units.ts'
import { hostAndPort } from '../../network/addresses.ts'
import type { Announcement } from '../../network/discovery/announcement.ts'
import { fit, padTo } from '../terminal/text.ts'

/** What the map needs to know of a server. */
export interface ServerRow {
  readonly peerId: string
  /** null: it announces none, as servers of earlier releases */
  readonly name?: string | null
  /** `host:port`, as --join takes it */
  readonly address?: string
  readonly blocks: BlockRange
  readonly state: string
  readonly dtype: string
  readonly decodeRate: number
  readonly forwardRate: number
  readonly cacheBytesFree: number
  readonly version: string
  /** null: it did not answer; absent: it was not asked */
  readonly load?: Omit<ServerLoad, 'residualBytesUsed' | 'residualBytesTotal'> | null
}

/** @param host that the server is connected from, `ip4/192.0.2.1`: of several addresses the one there is shown */
export function toServerRow({ serverName, ...server }: Announcement, host?: string): ServerRow {
  const address = hostAndPort(server.addresses, host)
  return {
    ...server,
    name: serverName ?? null,
    ...(address !== undefined && { address }),
    blocks: { first: server.firstBlock, end: server.endBlock }
  }
}

const isServed = (block: number) => (server: Pick<ServerRow, 'blocks' | 'state'>) =>
  server.state === 'online' && server.blocks.first <= block && block < server.blocks.end

/** cells of the map, and the fewest that are worth drawing */
const mostCells = 60
const fewestCells = 12

/** A cell for each block, or for each group of blocks where the model has more than there are cells. */
function drawCells(sizes: StackSizes, cells: number, draw: (group: BlockRange) => string): string {
  const { totalBlocks, encoderBlocks = 0 } = sizes
  const count = Math.min(totalBlocks, cells)
  const drawStack = (from: number, to: number, own: number): string =>
    Array.from({ length: own }, (_, cell) =>
      draw({
        first: from + Math.floor((cell * (to - from)) / own),
        end: from + Math.floor(((cell + 1) * (to - from)) / own)
      })
    ).join('')
  if (encoderBlocks === 0 || encoderBlocks >= totalBlocks) return drawStack(0, totalBlocks, count)
  const ofEncoder = Math.min(count - 1, Math.max(1, Math.round((count * encoderBlocks) / totalBlocks)))
  // a line between what reads and what writes
  return `${drawStack(0, encoderBlocks, ofEncoder)}│${drawStack(encoderBlocks, totalBlocks, count - ofEncoder)}`
}

function drawRange(sizes: StackSizes, cells: number, blocks: BlockRange): string {
  return drawCells(sizes, cells, ({ first, end }) => (blocks.first < end && first < blocks.end ? '█' : '·'))
}

/** How many online servers each block has, of a group the least; `+` is more than nine. */
function drawReplicas(sizes: StackSizes, cells: number, servers: readonly ServerRow[]): string {
  return drawCells(sizes, cells, ({ first, end }) => {
    const counts = Array.from({ length: end - first }, (_, index) => servers.filter(isServed(first + index)).length)
    const least = Math.min(...counts)
    return least > 9 ? '+' : `${least}`
  })
}

function formatBlocks(sizes: StackSizes, { first, end }: BlockRange): string {
  return listBlocks(
    sizes,
    Array.from({ length: end - first }, (_, index) => first + index)
  )
}

function drawLoad({ load, cacheBytesFree }: ServerRow): string[] {
  if (load === undefined) return ['', '', `${formatBytes(cacheBytesFree)} free`]
  if (load === null) return ['?', '?', 'no answer']
  const { queueLength, sessions, cacheBytesUsed, cacheBytesTotal } = load
  if (cacheBytesTotal === 0) return [`${queueLength}`, `${sessions}`, '-']
  return [`${queueLength}`, `${sessions}`, `${formatBytes(cacheBytesUsed)} of ${formatBytes(cacheBytesTotal)}`]
}

/** Columns in their order. Those without a rank are always shown, the others as far as the terminal has room, highest first. */
const columns: readonly { readonly title: string; readonly rank?: number; readonly isNumber?: boolean }[] = [
  { title: 'server' },
  { title: 'address' },
  { title: 'blocks', rank: 8 },
  { title: '' },
  { title: 'state' },
  { title: 'dtype', rank: 7 },
  { title: 'decode/s', rank: 6, isNumber: true },
  { title: 'forward/s', rank: 1, isNumber: true },
  { title: 'queue', rank: 3, isNumber: true },
  { title: 'sessions', rank: 4, isNumber: true },
  { title: 'cache', rank: 5 },
  { title: 'version', rank: 2 }
]

const mapColumn = 2
/** columns between two cells, and before the first */
const gap = 2
/** names are cut to a quarter of the terminal, and to no less than this */
const shortName = 12

/** Columns as wide as their widest cell; those without any are left out, and the least needed where `width` is too little. */
function alignTable(
  rows: readonly (readonly string[])[],
  { width, paint }: Required<Pick<DrawOptions, 'width' | 'paint'>>
): string[] {
  const widths = columns.map((_, column) => Math.max(...rows.map(row => stringWidth(row[column]!))))
  widths[0] = Math.min(widths[0]!, Math.max(shortName, Math.floor(width / 4)))
  const used = columns.map((_, column) => column).filter(column => rows.slice(1).some(row => row[column] !== ''))
  const shown = new Set(used.filter(column => columns[column]!.rank === undefined))
  const total = () => [...shown].reduce((sum, column) => sum + gap + widths[column]!, 0)
  for (const column of used.toSorted((a, b) => (columns[b]!.rank ?? 0) - (columns[a]!.rank ?? 0))) {
    if (total() + gap + widths[column]! <= width) shown.add(column)
  }
  const inOrder = used.filter(column => shown.has(column))
  // without the map its title goes to the ranges, and there is no row for what it alone says
  const [titles, ...others] = rows
  const kept = shown.has(mapColumn) ? rows : [titles!.with(mapColumn + 1, titles![mapColumn]!), ...others.slice(0, -1)]
  return kept.map((row, index) => {
    const cells = inOrder.map(column => {
      const { title, isNumber } = columns[column]!
      const text = fit(row[column]!, widths[column]!)
      const cell = title === 'state' && index > 0 ? paint(row[column]!, text) : text
      return padTo(cell, widths[column]!, isNumber)
    })
    return `  ${cells.join(' '.repeat(gap))}`.trimEnd()
  })
}

/** What each server is called: its name, with the end of its peer id where others have the same name, else that end alone. */
function labelsOf(servers: readonly ServerRow[]): string[] {
  const named = Map.groupBy(servers, ({ name }) => name)
  return servers.map(({ peerId, name }) => {
    if (name === undefined || name === null) return `…${peerId.slice(-8)}`
    return named.get(name)!.length > 1 ? `${name} …${peerId.slice(-4)}` : name
  })
}

export interface DrawOptions {
  /** columns of the terminal; default: as many as are needed */
  readonly width?: number
  /** gives a text about a state its colour; default: none */
  readonly paint?: (state: string, text: string) => string
  /** number of the encoder's blocks, which come first; default 0 */
  readonly encoderBlocks?: number
}

/**
 * Lines of the map: a row for each server sorted by first block, how many servers each block has, and a last line that says what is
 * missing. Rates are those of one block: decode steps, and tokens of a forward pass.
 */
export function drawCoverage(
  name: string,
  totalBlocks: number,
  servers: readonly ServerRow[],
  { width = Number.POSITIVE_INFINITY, paint = (_, text) => text, encoderBlocks }: DrawOptions = {}
): string[] {
  const sizes = { totalBlocks, encoderBlocks }
  const sorted = [...servers].sort((a, b) => a.blocks.first - b.blocks.first || a.peerId.localeCompare(b.peerId))
  const labels = labelsOf(sorted)
  const cells = Math.min(mostCells, Math.max(fewestCells, Math.floor(width / 6)))
  const rows = sorted.map((row, index) => [
    labels[index]!,
    row.address ?? '',
    drawRange(sizes, cells, row.blocks),
    formatBlocks(sizes, row.blocks),
    row.state,
    row.dtype,
    row.decodeRate === 0 && encoderBlocks !== undefined ? '-' : `${Math.round(row.decodeRate)}`,
    `${Math.round(row.forwardRate)}`,
    ...drawLoad(row),
    row.version
  ])
  const missing = missingRanges(totalBlocks, sorted)
  const replicas = ['online', '', drawReplicas(sizes, cells, sorted), ...columns.slice(3).map(() => '')]
  const titles = columns.map(({ title }) => title)
  return [
    `${name}: ${plural(totalBlocks, 'block')}, ${plural(rows.length, 'server')}`,
    ...alignTable([titles, ...rows, replicas], { width, paint }),
    missing.length === 0
      ? paint('complete', '  every block is served')
      : paint('incomplete', `  not served: ${missing.map(range => formatBlocks(sizes, range)).join(', ')}`)
  ]
}
