// Options for the Hugging Face Hub. The command line reads them from the environment, programs pass them.
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'
import type { OnProgress } from '../../common/progress.ts'

export interface HubOptions {
  /** default https://huggingface.co */
  readonly endpoint?: string
  /** the hub's cache on this machine; default ~/.cache/huggingface/hub */
  readonly cacheDir?: string
  /** access token, for models that need one */
  readonly token?: string
  /** branch, tag or commit; default main */
  readonly revision?: string
  /** no network requests: only the cache is used */
  readonly offline?: boolean
  /** hears of the stages `download` and `verify`; default: what the caller of the whole operation gives */
  readonly onProgress?: OnProgress
}

/** Throws INVALID_ARGUMENT for a name that is no option of the hub. */
export function checkHubOptions(what: string, options: HubOptions | undefined): void {
  checkOptions(`${what}: hub`, options, {
    endpoint: true,
    cacheDir: true,
    token: true,
    revision: true,
    offline: true,
    onProgress: true
  })
}

export interface HubSettings extends HubOptions {
  readonly endpoint: string
  readonly cacheDir: string
  readonly revision: string
}

function defaultCacheFolder(): string {
  try {
    return join(homedir(), '.cache', 'huggingface', 'hub')
  } catch (cause) {
    const next = 'set HF_HOME to a folder that it can write'
    throw new SwarmError('NOT_FOUND', `this user has no home folder for the cache of the hub: ${next}`, { cause })
  }
}

/** Throws NOT_FOUND where no cache is given and the user has no home folder. */
export function withHubDefaults(options: HubOptions = {}): HubSettings {
  return {
    ...options,
    endpoint: (options.endpoint ?? 'https://huggingface.co').replace(/\/+$/, ''),
    cacheDir: options.cacheDir ?? defaultCacheFolder(),
    revision: options.revision ?? 'main'
  }
}
