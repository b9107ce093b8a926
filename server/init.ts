// The options of a server, and the checks that are possible before anything is loaded.
import { SwarmError } from '../common/errors.ts'
import { checkOptions, type OptionKeys } from '../common/options.ts'
import { checkServerName } from '../network/discovery/announcement.ts'
import type { AnnouncerInit } from '../network/discovery/announcer.ts'
import { type NetworkInit, networkKeys } from '../network/network.ts'
import type { LoadReporterInit } from './placement/load-report.ts'
import { checkRange } from './placement/placement.ts'
import type { SpanHostInit } from './placement/span-host.ts'
import { checkMaxRate } from './schedule/rate-limit.ts'

export interface ServerInit extends NetworkInit, SpanHostInit {
  readonly checkpoint: SpanHostInit['checkpoint']
  /** name of this server in lists: at most 64 printable characters; default: lists show its peer id */
  readonly name?: string
  /** where the server is, as lists show it: at most 64 printable characters; default: they show none */
  readonly region?: string
  /** approximate maximum time of one run of a forward pass, which delays decode steps; default a quarter of a second */
  readonly passRunMs?: number
  /** 0: any free one */
  readonly metricsPort?: number
  readonly announcing?: AnnouncerInit
  readonly loadReporter?: LoadReporterInit
}

const serverKeys: OptionKeys<ServerInit> = {
  ...networkKeys,
  checkpoint: true,
  name: true,
  region: true,
  blocks: true,
  numBlocks: true,
  cacheDir: true,
  threads: true,
  dtype: true,
  storage: true,
  memoryBytes: true,
  maxRate: true,
  rebalancing: true,
  kvCacheBytes: true,
  cacheSharePerPeer: true,
  prefixReuse: true,
  residualBytes: true,
  workingBytes: true,
  passRunMs: true,
  metricsPort: true,
  announcing: true,
  loadReporter: true,
  onProgress: true
}

/** Throws INVALID_ARGUMENT for a name that no option has, also within options that have names of their own. */
export function checkServerInit(init: ServerInit): void {
  checkOptions('createServer', init, serverKeys)
  if (init.name !== undefined) checkServerName(init.name)
  if (init.region !== undefined) checkServerName(init.region, 'region')
  const { blocks, maxRate, rebalancing, announcing, loadReporter } = init
  checkOptions('createServer: blocks', blocks, { first: true, end: true })
  checkOptions('createServer: maxRate', maxRate, { share: true, tokens: true })
  checkOptions('createServer: rebalancing', rebalancing, { intervalMs: true, settleMs: true, drainMs: true })
  checkOptions('createServer: announcing', announcing, { intervalMs: true, expiryMs: true })
  checkOptions('createServer: loadReporter', loadReporter, { intervalMs: true })
}

/** @throws SwarmError INVALID_ARGUMENT for blocks that the model does not have */
export function checkBlocks({ checkpoint, blocks, numBlocks: count, maxRate }: ServerInit): void {
  if (maxRate !== undefined) checkMaxRate(maxRate)
  const { numBlocks } = checkpoint.config
  if (blocks !== undefined) checkRange(blocks, numBlocks)
  if (count === undefined || (blocks === undefined && Number.isInteger(count) && count >= 1)) return
  const found = blocks === undefined ? `${count}` : `${count} beside blocks ${blocks.first}-${blocks.end}`
  throw new SwarmError('INVALID_ARGUMENT', `number of blocks: expected 1 to ${numBlocks}, found ${found}`)
}
