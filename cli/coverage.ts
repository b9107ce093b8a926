// The coverage map: who serves which blocks of a model, drawn in text. Pure.
import type { BlockRange } from '../common/range.ts'
import { formatBytes } from '../common/units.ts'
import type { Announcement } from '../network/announcement.ts'

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
}

export function toServerRow(server: Announcement): ServerRow {
  return { ...server, blocks: { first: server.firstBlock, end: server.endBlock } }
}

/** Ranges of blocks that no online server hosts. */
export function uncovered(totalBlocks: number, servers: readonly Pick<ServerRow, 'blocks' | 'state'>[]): BlockRange[] {
  const ranges: BlockRange[] = []
  for (let block = 0; block < totalBlocks; block++) {
    if (servers.some(server => server.state === 'online' && server.blocks.first <= block && block < server.blocks.end))
      continue
    const last = ranges.at(-1)
    if (last !== undefined && last.end === block) ranges[ranges.length - 1] = { first: last.first, end: block + 1 }
    else ranges.push({ first: block, end: block + 1 })
  }
  return ranges
}

const widest = 60

/** One cell per block, or per group of blocks where the model has more than fit a line. */
function drawRange(totalBlocks: number, blocks: BlockRange): string {
  const cells = Math.min(totalBlocks, widest)
  return Array.from({ length: cells }, (_, cell) => {
    const first = Math.floor((cell * totalBlocks) / cells)
    const end = Math.floor(((cell + 1) * totalBlocks) / cells)
    return blocks.first < end && first < blocks.end ? '█' : '·'
  }).join('')
}

/** Lines of the map, a row per server sorted by first block, and a last line that says what is missing. */
export function drawCoverage(name: string, totalBlocks: number, servers: readonly ServerRow[]): string[] {
  const rows = [...servers].sort((a, b) => a.blocks.first - b.blocks.first || a.peerId.localeCompare(b.peerId))
  const lines = [`${name}: ${totalBlocks} blocks, ${rows.length} server${rows.length === 1 ? '' : 's'}`]
  for (const row of rows) {
    const range = `${row.blocks.first}..${row.blocks.end - 1}`
    lines.push(
      `  …${row.peerId.slice(-8)}  ${drawRange(totalBlocks, row.blocks)}  ${range.padEnd(7)} ${row.state.padEnd(8)} ${row.dtype}  ` +
        `decode ${Math.round(row.decodeRate)}/s  forward ${Math.round(row.forwardRate)} tokens/s per block  ` +
        `${formatBytes(row.cacheBytesFree)} cache free  v${row.version}`
    )
  }
  const missing = uncovered(totalBlocks, rows)
  lines.push(
    missing.length === 0
      ? '  every block is served'
      : `  not served: ${missing.map(range => (range.end - range.first === 1 ? `${range.first}` : `${range.first}..${range.end - 1}`)).join(', ')}`
  )
  return lines
}
