// The map of a model: who serves which blocks, and how each server is doing, drawn in text. Pure.
import type { BlockRange } from '../common/range.ts'
import { formatBytes } from '../common/units.ts'
import type { Announcement } from '../network/discovery/announcement.ts'

/** What a server says of its load when it is asked. */
export interface ServerLoad {
  readonly sessions: number
  /** requests that wait */
  readonly queueLength: number
  readonly cacheBytesUsed: number
  readonly cacheBytesTotal: number
}

/** What the map needs to know of a server. */
export interface ServerRow {
  readonly peerId: string
  readonly blocks: BlockRange
  readonly state: string
  readonly dtype: string
  readonly decodeRate: number
  readonly forwardRate: number
  readonly cacheBytesFree: number
  readonly version: string
  /** null: it did not answer; absent: it was not asked */
  readonly load?: ServerLoad | null
}

export function toServerRow(server: Announcement): ServerRow {
  return { ...server, blocks: { first: server.firstBlock, end: server.endBlock } }
}

const isServed = (block: number) => (server: Pick<ServerRow, 'blocks' | 'state'>) =>
  server.state === 'online' && server.blocks.first <= block && block < server.blocks.end

/** Ranges of blocks that no online server hosts. */
export function uncovered(totalBlocks: number, servers: readonly Pick<ServerRow, 'blocks' | 'state'>[]): BlockRange[] {
  const ranges: BlockRange[] = []
  for (let block = 0; block < totalBlocks; block++) {
    if (servers.some(isServed(block))) continue
    const last = ranges.at(-1)
    if (last !== undefined && last.end === block) ranges[ranges.length - 1] = { first: last.first, end: block + 1 }
    else ranges.push({ first: block, end: block + 1 })
  }
  return ranges
}

const widest = 60

/** A cell for each block, or for each group of blocks where the model has more than fit a line. */
function drawCells(totalBlocks: number, draw: (group: BlockRange) => string): string {
  const cells = Math.min(totalBlocks, widest)
  return Array.from({ length: cells }, (_, cell) =>
    draw({ first: Math.floor((cell * totalBlocks) / cells), end: Math.floor(((cell + 1) * totalBlocks) / cells) })
  ).join('')
}

function drawRange(totalBlocks: number, blocks: BlockRange): string {
  return drawCells(totalBlocks, ({ first, end }) => (blocks.first < end && first < blocks.end ? '█' : '·'))
}

/** How many online servers each block has, of a group the least; `+` is more than nine. */
function drawReplicas(totalBlocks: number, servers: readonly ServerRow[]): string {
  return drawCells(totalBlocks, ({ first, end }) => {
    const counts = Array.from({ length: end - first }, (_, index) => servers.filter(isServed(first + index)).length)
    const least = Math.min(...counts)
    return least > 9 ? '+' : `${least}`
  })
}

const formatBlocks = ({ first, end }: BlockRange): string => (end - first === 1 ? `${first}` : `${first}..${end - 1}`)

function drawLoad({ load, cacheBytesFree }: ServerRow): string[] {
  if (load === undefined) return ['', '', `${formatBytes(cacheBytesFree)} free`]
  if (load === null) return ['?', '?', 'no answer']
  const { queueLength, sessions, cacheBytesUsed, cacheBytesTotal } = load
  return [`${queueLength}`, `${sessions}`, `${formatBytes(cacheBytesUsed)} of ${formatBytes(cacheBytesTotal)}`]
}

const columns = [
  'server',
  'blocks',
  '',
  'state',
  'dtype',
  'decode/s',
  'forward/s',
  'queue',
  'sessions',
  'cache',
  'version'
]
/** Columns of numbers stand to the right. */
const rightOnes: ReadonlySet<string> = new Set(['decode/s', 'forward/s', 'queue', 'sessions'])

/** Columns as wide as their widest cell; those without any are left out. */
function alignTable(rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  const isEmpty = columns.map((_, column) => rows.slice(1).every(row => row[column] === ''))
  return rows.map(row => {
    const cells = row.flatMap((cell, column) => {
      if (isEmpty[column]) return []
      return rightOnes.has(columns[column]!) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
    })
    return `  ${cells.join('  ')}`.trimEnd()
  })
}

/**
 * Lines of the map: a row for each server sorted by first block, how many servers each block has, and a last line that says what is
 * missing. Rates are those of one block: decode steps, and tokens of a forward pass.
 */
export function drawCoverage(name: string, totalBlocks: number, servers: readonly ServerRow[]): string[] {
  const sorted = [...servers].sort((a, b) => a.blocks.first - b.blocks.first || a.peerId.localeCompare(b.peerId))
  const rows = sorted.map(row => [
    `…${row.peerId.slice(-8)}`,
    drawRange(totalBlocks, row.blocks),
    formatBlocks(row.blocks),
    row.state,
    row.dtype,
    `${Math.round(row.decodeRate)}`,
    `${Math.round(row.forwardRate)}`,
    ...drawLoad(row),
    row.version
  ])
  const missing = uncovered(totalBlocks, sorted)
  const replicas = ['online', drawReplicas(totalBlocks, sorted), ...columns.slice(2).map(() => '')]
  return [
    `${name}: ${totalBlocks} blocks, ${rows.length} server${rows.length === 1 ? '' : 's'}`,
    ...alignTable([columns, ...rows, replicas]),
    missing.length === 0 ? '  every block is served' : `  not served: ${missing.map(formatBlocks).join(', ')}`
  ]
}
