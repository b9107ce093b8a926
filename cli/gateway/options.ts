// Options that `swarm api` and `swarm up` share: where the API listens, who may use it, how much, and how it generates.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { Option } from 'commander'
import { SwarmError } from '../../common/errors.ts'
import { MiB } from '../../common/units.ts'
import { addressList, isLoopbackAddress } from '../../gateway/http/origin.ts'
import { defaultSettings, type GatewaySettings } from '../../gateway/http/settings.ts'
import { checkAdapterFolder } from '../../gateway/models/adapter-folder.ts'
import type { GatewayTls } from '../../gateway/server.ts'
import type { KeyStore } from '../../gateway/storage/keys.ts'
import { asUsage, UsageError } from '../errors/usage.ts'
import type { BaseModelFlags } from '../generation.ts'
import { draftOption, readTemplate, speculateOption } from '../generation.ts'
import {
  jsonOption,
  parseBytes,
  parsePositive,
  parseSeconds,
  parseTcpPort,
  untilEofOption
} from '../options/options.ts'

export interface GatewayFlags {
  host: string
  port: number
  tlsCert?: string
  tlsKey?: string
  auth?: boolean
  allowedHosts?: string[]
  cors?: string[]
  trustedProxies?: string[]
  maxConcurrent: number
  maxQueued: number
  requestsPerMinute?: number
  tokensPerMinute?: number
  maxBody: number
  maxUpload: number
  maxJobs: number
  adapters?: string
  chatTemplate?: string
  controlTokens?: boolean
  speculate?: number
  draft?: string
  stopTimeout: number
  json?: boolean
  untilEof?: boolean
}

export type ApiFlags = GatewayFlags & BaseModelFlags

/** Adds the options of the API: listening, access, limits, adapters and speculation. */
export function addGatewayOptions(command: Command): Command {
  return command
    .optionsGroup('API:')
    .option('--host <host>', 'address to listen on; 0.0.0.0: all, which needs keys', '127.0.0.1')
    .option('-p, --port <port>', 'TCP port to listen on; 0: any free one', parseTcpPort, 8000)
    .option('--tls-cert <file>', 'serve HTTPS with this certificate chain, PEM (default: HTTP)')
    .option('--tls-key <file>', 'private key of --tls-cert, PEM (default: none)')
    .option('--stop-timeout <seconds>', 'time that running answers have after SIGTERM', text => parseSeconds(text), 30)
    .addOption(untilEofOption())
    .addOption(jsonOption())
    .optionsGroup('Access:')
    .option('--auth', "ask for keys of 'swarm api keys create' (default: on any address but loopback)")
    .option('--no-auth', 'ask for no keys: everyone who reaches the address may use the API')
    .option('--allowed-hosts <name...>', 'further host names of this gateway, against DNS rebinding (default: its own)')
    .option('--cors <origin...>', 'web pages that may use the API: https://page.example, or * (default: none)')
    .option('--trusted-proxies <address...>', 'proxies whose X-Forwarded headers are believed (default: none)')
    .optionsGroup('Limits:')
    .option(
      '--max-concurrent <count>',
      'answers generated at once; others wait, and keys take turns',
      parsePositive,
      defaultSettings.maxConcurrent
    )
    .option('--max-queued <count>', 'requests that may wait', parsePositive, defaultSettings.maxQueued)
    .option('--requests-per-minute <count>', 'limit of each key without its own (default: none)', parsePositive)
    .option('--tokens-per-minute <count>', 'limit of each key without its own (default: none)', parsePositive)
    .addOption(
      new Option('--max-body <size>', 'largest JSON body')
        .argParser(parseBytes)
        .default(defaultSettings.maxBodyBytes, `${defaultSettings.maxBodyBytes / MiB}MiB`)
    )
    .addOption(
      new Option('--max-upload <size>', 'largest file of examples')
        .argParser(parseBytes)
        .default(defaultSettings.maxUploadBytes, `${defaultSettings.maxUploadBytes / MiB}MiB`)
    )
    .option('--max-jobs <count>', 'fine-tuning jobs that train at once; others wait', parsePositive, 1)
    .optionsGroup('Answers:')
    .option('--adapters <folder>', 'serve each adapter in this folder under its name, new ones too (default: none)')
    .option('--chat-template <file>', "Jinja template for all models (default: each model's own)")
    .option('--control-tokens', 'read control tokens in prompts of /v1/completions (default: they are text)')
    .addOption(speculateOption())
    .addOption(draftOption())
}

/** Whether keys are needed. Throws UsageError where they are and there is none. */
function needsKeys({ auth, host, trustedProxies }: GatewayFlags, keys: KeyStore): boolean {
  // a proxy on this machine hands on what strangers ask
  const isLocal = (host === 'localhost' || isLoopbackAddress(host)) && trustedProxies === undefined
  const needed = auth ?? !isLocal
  if (needed && !keys.any) {
    const why = auth ? '--auth' : trustedProxies === undefined ? `--host ${host}` : '--trusted-proxies'
    throw new UsageError(
      `${why}: the API needs a key, and there is none: make one with 'swarm api keys create <name>', ` +
        'or let everyone in with --no-auth'
    )
  }
  return needed
}

/** A file that a flag names. Throws NOT_FOUND. */
async function readNamed(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw cause
    throw new SwarmError('NOT_FOUND', `${flag} ${path}: no such file`, { cause })
  }
}

/** Certificate and key; undefined without them. Throws UsageError for one without the other, NOT_FOUND. */
export async function readTls({ tlsCert, tlsKey }: GatewayFlags): Promise<GatewayTls | undefined> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined) {
    throw new UsageError('--tls-cert and --tls-key: expected both or none')
  }
  const cert = await readNamed('--tls-cert', tlsCert)
  return { cert, key: await readNamed('--tls-key', tlsKey) }
}

/** What is wrong with the flags and the files that they name, before any server is started or model opened. */
export async function checkGatewayFlags(flags: ApiFlags): Promise<void> {
  const { trustedProxies = [], cors = [], chatTemplate, adapters } = flags
  await asUsage(async () => void addressList(trustedProxies))
  for (const origin of cors) {
    if (origin !== '*' && URL.parse(origin)?.origin !== origin) {
      throw new UsageError(`--cors ${origin}: expected an origin such as https://page.example, without a path, or *`)
    }
  }
  await readTls(flags)
  if (chatTemplate !== undefined) await readTemplate(chatTemplate)
  if (adapters !== undefined) await checkAdapterFolder(resolve(adapters))
}

/** The settings that the flags mean. Throws UsageError where keys are needed and there is none. */
export function settingsOf(flags: ApiFlags, keys: KeyStore): GatewaySettings {
  const { host, audit = null, requireDtype = null, codec = null, speculate = null, draft = null } = flags
  const auth = needsKeys(flags, keys) ? 'keys' : 'none'
  // a page that misuses a name of its own has no key
  const isNamed = auth === 'none' || flags.allowedHosts !== undefined
  return {
    ...defaultSettings,
    auth,
    allowedHosts: isNamed ? [...(flags.allowedHosts ?? []), host] : null,
    cors: flags.cors ?? [],
    trustedProxies: flags.trustedProxies ?? [],
    maxBodyBytes: flags.maxBody,
    maxUploadBytes: flags.maxUpload,
    maxConcurrent: flags.maxConcurrent,
    maxQueued: flags.maxQueued,
    requestsPerMinute: flags.requestsPerMinute ?? null,
    tokensPerMinute: flags.tokensPerMinute ?? null,
    generation: { speculate, draft, audit, requireDtype, codec }
  }
}
