// Flags and environment variables of the Hugging Face Hub.
import { join } from 'node:path'
import { getHFHubCachePath } from '@huggingface/hub'
import { Option } from 'commander'
import type { FromPeers } from '../../client/index.ts'
import type { HubOptions } from '../../model/hub/options.ts'
import { homeFolder } from './options.ts'

export interface HubFlags {
  fromPeers?: boolean
  revision?: string
  offline?: boolean
}

export const revisionOption = () =>
  new Option('--revision <name>', 'branch, tag or commit of a hub model (default: main)')

export const offlineOption = () =>
  new Option('--offline', 'use only the hub cache on this machine (default: as HF_HUB_OFFLINE says)')

export const fromPeersOption = () =>
  new Option('--from-peers', 'fetch the model from servers of the swarm, by the name that they announce')

/** Where what peers gave is kept. */
export function peersSettings(): FromPeers {
  return { directory: join(homeFolder(), 'peers') }
}

/** The hub's cache by HF_HUB_CACHE, HF_HOME and the like; undefined for a user without a home, who may not need it. */
function hubCacheFolder(): string | undefined {
  try {
    return getHFHubCachePath()
  } catch {
    return undefined // of the system: it knows no home folder
  }
}

/** Hub settings from flags and environment. */
export function hubOptions(flags: HubFlags): HubOptions {
  return {
    endpoint: process.env.HF_ENDPOINT || undefined,
    cacheDir: hubCacheFolder(),
    token: process.env.HF_TOKEN || undefined,
    revision: flags.revision,
    offline: flags.offline ?? /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? '')
  }
}
