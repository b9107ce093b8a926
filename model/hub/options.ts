// Options for the Hugging Face Hub. The command line reads them from the environment, programs pass them.
import { homedir } from 'node:os'
import { join } from 'node:path'
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

export function withHubDefaults(options: HubOptions = {}): HubSettings {
  return {
    ...options,
    endpoint: (options.endpoint ?? 'https://huggingface.co').replace(/\/+$/, ''),
    cacheDir: options.cacheDir ?? join(homedir(), '.cache', 'huggingface', 'hub'),
    revision: options.revision ?? 'main'
  }
}
