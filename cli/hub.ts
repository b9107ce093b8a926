// Models of the Hugging Face Hub: flags, what the environment says of it, and the progress of what is fetched.
import { join } from 'node:path'
import { getHFHubCachePath } from '@huggingface/hub'
import { Option } from 'commander'
import type { FromPeers } from '../client/index.ts'
import { formatBytes, MiB } from '../common/units.ts'
import type { HubOptions } from '../model/hub/options.ts'
import type { TransferProgress } from '../model/partial/tensors.ts'
import { homeFolder } from './options.ts'
import { createProgress, formatDuration, type ProgressLine } from './progress.ts'

export interface HubFlags {
  fromPeers?: boolean
  revision?: string
  offline?: boolean
}

export const revisionOption = () => new Option('--revision <name>', 'branch, tag or commit of a model of the hub')

export const offlineOption = () =>
  new Option('--offline', 'ask no hub: only what is in its cache on this machine (default: as HF_HUB_OFFLINE says)')

export const fromPeersOption = () =>
  new Option('--from-peers', 'fetch the model, by its name in the swarm, from servers that hold it')

/** Where what peers gave is kept, and how its arrival is shown. */
export function peersSettings({ quiet = false } = {}): FromPeers {
  return { directory: join(homeFolder(), 'peers'), onProgress: quiet ? undefined : transferProgress() }
}

/** Less is there before anybody reads a line. */
const shownBytes = 1 * MiB

/** A bar in percent with bytes, rate and time left; for what is small none. */
export function transferProgress(): (progress: TransferProgress) => void {
  let line: ProgressLine | undefined
  let started = 0
  let shown = -1
  return ({ done, total }) => {
    if (total < shownBytes) return
    if (line === undefined) {
      line = createProgress(100, '% of {total}  {rate}/s  {left} left', { every: 5 })
      started = performance.now()
      shown = -1
    }
    const percent = Math.floor((100 * done) / total)
    if (percent > shown) {
      shown = percent
      const rate = done / Math.max(0.001, (performance.now() - started) / 1000)
      const left = rate === 0 ? '-' : formatDuration((total - done) / rate)
      line.update(percent, { total: formatBytes(total), rate: formatBytes(rate), left })
    }
    if (done === total) {
      line.stop()
      line = undefined
    }
  }
}

/** `quiet`: what is fetched is not shown, as where stdout is for programs. */
export function hubOptions(flags: HubFlags, { quiet = false } = {}): HubOptions {
  return {
    endpoint: process.env.HF_ENDPOINT || undefined,
    cacheDir: getHFHubCachePath(),
    token: process.env.HF_TOKEN || undefined,
    revision: flags.revision,
    offline: flags.offline ?? /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? ''),
    onProgress: quiet ? undefined : transferProgress()
  }
}
