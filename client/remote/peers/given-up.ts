// The error message for the case that all servers of some blocks have failed. Pure.
import { SwarmError } from '../../../common/errors.ts'
import { type BlockRange, formatBlocks } from '../../../common/range.ts'
import type { Announcement } from '../../../network/discovery/announcement.ts'
import { startCommand } from '../../../network/state/sentences.ts'
import { describeHop } from '../passes/span-request.ts'

/** maximum number of servers whose failures are listed */
const mostReasons = 4

type Host = Pick<Announcement, 'peerId' | 'firstBlock' | 'endBlock'>

/**
 * BLOCKS_UNAVAILABLE with the blocks whose servers have all failed, and the cause of each failure. Returns the error
 * itself if each block has another server, or none at all, or if a retry is useless. @param failures by peer id, '' if
 * the cause is unknown
 */
export function givenUp(
  error: SwarmError,
  blocks: BlockRange,
  servers: readonly Host[],
  failures: ReadonlyMap<string, string>
): SwarmError {
  const lost: number[] = []
  const tried = new Set<Host>()
  for (let block = blocks.first; block < blocks.end; block++) {
    const hosts = servers.filter(({ firstBlock, endBlock }) => firstBlock <= block && block < endBlock)
    if (hosts.length === 0 || !hosts.every(({ peerId }) => failures.has(peerId))) continue
    lost.push(block)
    for (const host of hosts) tried.add(host)
  }
  if (lost.length === 0 || !error.retryable) return error
  const reasons = [...tried].map(({ peerId, firstBlock: first, endBlock: end }) => {
    return `${describeHop({ peerId, blocks: { first, end } })}: ${failures.get(peerId) || 'failed'}`
  })
  const others = reasons.length > mostReasons ? [`and ${reasons.length - mostReasons} more`] : []
  const why = [...reasons.slice(0, mostReasons), ...others].join('; ')
  const what = `block${lost.length === 1 ? '' : 's'} ${formatBlocks(lost)}`
  const hint = `try again when one of them is back, or start another with '${startCommand(lost)}'`
  const message = `no server is left for ${what}, though tried several times (${why}); ${hint}`
  return new SwarmError('BLOCKS_UNAVAILABLE', message, { cause: error })
}
