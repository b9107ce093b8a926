// What a model of the hub consists of at a revision: asked of the hub, or remembered from the last time.
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { HubApiError, listFiles, modelInfo } from '@huggingface/hub'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { writeWhole } from '../../common/files/whole-file.ts'
import { foreignHash, foreignName, foreignPath } from '../../common/foreign-path.ts'
import { MiB } from '../../common/units.ts'
import { isJsonObject, readJsonObject } from '../json.ts'
import { moduleFolder } from '../sentence-files.ts'
import { toolUseFile } from '../text/tokenizer.ts'
import { bounded, checkSameOrigin, hubFetch } from './hub-fetch.ts'
import type { HubSettings } from './options.ts'

/** Files of a repository: the largest have some hundred. */
const maxFiles = 20_000
/** One answer of the hub's API; a page of a thousand files takes 300 KB. */
const maxAnswerBytes = 16 * MiB
/** Digits of git's sha1 and of sha256. */
const hashLengths = [40, 64]

export interface HubFile {
  readonly path: string
  readonly size: number
  /** hash by which the hub calls its content: sha256 of a large file, git's sha1 of a small one */
  readonly etag: string
}

export interface Listing {
  /** commit */
  readonly commit: string
  readonly files: readonly HubFile[]
}

/** A folder that is looked into: chat templates beside the model's own. */
const templatesFolder = dirname(toolUseFile)

/** The others are modules of sentence-transformers, of which models have few. */
const maxModuleFolders = 16

const isLookedInto = (folder: string): boolean => folder === templatesFolder || moduleFolder.test(folder)

/** Of ours, inside the model's folder of the hub's cache. */
export const ownFolder = 'swarmtune'

/** A file that the hub, or the record of what it said, names. Throws BAD_CHECKPOINT unless name and hash can be parts of a path. */
function checkFile(where: string, { path, size, etag }: Readonly<Record<keyof HubFile, unknown>>): HubFile {
  const isBelow = typeof path === 'string' && path.includes('/') && isLookedInto(path.slice(0, path.indexOf('/')))
  const name = (isBelow ? foreignPath : foreignName)(path, { what: `${where}: file name` })
  if (!Number.isSafeInteger(size) || Number(size) < 0) {
    throw new SwarmError('BAD_CHECKPOINT', `${where}: '${name}': expected a size in bytes, found ${String(size)}`)
  }
  return {
    path: name,
    size: Number(size),
    etag: foreignHash(etag, hashLengths, { what: `${where}: hash of '${name}'` })
  }
}

const checkCommit = (where: string, commit: unknown): string =>
  foreignHash(commit, hashLengths, { what: `${where}: commit` })

function hubError(error: unknown, name: string, { endpoint, revision }: HubSettings): SwarmError {
  const where = `${name} at ${endpoint}`
  if (error instanceof SwarmError) return error
  if (!(error instanceof HubApiError)) {
    return new SwarmError('UNREACHABLE', `${where}: the hub does not answer: ${messageOf(error)}`, { cause: error })
  }
  const { statusCode } = error
  if (statusCode === 401 || statusCode === 403) {
    const advice = 'accept its terms there and set HF_TOKEN, or check the name'
    return new SwarmError('NOT_FOUND', `${where}: the hub denies access (${statusCode}): ${advice}`, { cause: error })
  }
  if (statusCode === 404) {
    return new SwarmError('NOT_FOUND', `${where}: no such model, or no revision '${revision}'`, { cause: error })
  }
  return new SwarmError('UNREACHABLE', `${where}: the hub answers with status ${statusCode}`, { cause: error })
}

async function ask(name: string, settings: HubSettings, signal?: AbortSignal): Promise<Listing> {
  const { endpoint: hubUrl, token: accessToken, revision } = settings
  const where = `${name} at ${hubUrl}`
  const origin = new URL(hubUrl).origin
  const fetchHere: typeof fetch = async (input, init) => {
    const url = String(input instanceof Request ? input.url : input)
    checkSameOrigin(url, origin, where) // the address of a further page comes from the hub
    return bounded(await hubFetch(url, { headers: init?.headers, signal }), maxAnswerBytes, url)
  }
  const common = { hubUrl, fetch: fetchHere, ...(accessToken ? { accessToken } : {}) }
  try {
    const { sha } = await modelInfo({ name, revision, additionalFields: ['sha'], ...common })
    const commit = checkCommit(where, sha)
    const files: HubFile[] = []
    const list = async (folder?: string): Promise<string[]> => {
      const below: string[] = []
      const within = folder === undefined ? {} : { path: folder }
      for await (const file of listFiles({ repo: { type: 'model', name }, revision: commit, ...within, ...common })) {
        if (file.type === 'directory' && isLookedInto(file.path)) below.push(file.path)
        if (file.type !== 'file') continue
        if (files.length >= maxFiles) throw new SwarmError('BAD_CHECKPOINT', `${where}: more than ${maxFiles} files`)
        const { path, size, oid, lfs } = file
        files.push(checkFile(where, { path, size: lfs?.size ?? size, etag: lfs?.oid ?? oid }))
      }
      return below
    }
    const below = await list()
    const hasModules = files.some(({ path }) => path === 'modules.json')
    const modules = hasModules ? below.filter(folder => folder !== templatesFolder).slice(0, maxModuleFolders) : []
    for (const folder of [...below.filter(each => each === templatesFolder), ...modules]) await list(folder)
    return { commit, files }
  } catch (error) {
    signal?.throwIfAborted()
    throw hubError(error, name, settings)
  }
}

async function remember(path: string, text: string): Promise<void> {
  await makeFolder(dirname(path))
  await writeWhole(path, text)
}

/** The commit that the revision was when it was last asked for; a commit is itself. */
async function rememberedCommit(repository: string, revision: string): Promise<string | undefined> {
  if (/^[0-9a-f]{40}$/.test(revision)) return revision
  const path = join(repository, 'refs', revision)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : checkCommit(path, text.trim())
}

async function remembered(repository: string, revision: string): Promise<Listing | undefined> {
  const commit = await rememberedCommit(repository, revision)
  if (commit === undefined) return undefined
  const record = join(repository, ownFolder, `${commit}.json`)
  const kept = await readJsonObject(record)
  const files = Array.isArray(kept?.files) ? (kept.files as unknown[]) : undefined
  if (files?.every(isJsonObject)) {
    return { commit, files: files.map(file => checkFile(record, file as Record<keyof HubFile, unknown>)) }
  }
  // a snapshot that another program has made is whole
  const names = await readdir(join(repository, 'snapshots', commit)).catch(() => undefined)
  return names && { commit, files: names.map(path => ({ path, size: 0, etag: '' })) }
}

/**
 * The files of a model: of the top level, and below it chat templates and modules of
 * sentence-transformers. Where the hub cannot be reached (or is not to be), what it said last time.
 * Throws NOT_FOUND for a model or revision that does not exist or is not open to the token, UNREACHABLE without a hub and
 * without memory of it.
 */
export async function listModel(
  name: string,
  repository: string,
  settings: HubSettings,
  signal?: AbortSignal
): Promise<Listing> {
  const { revision, offline } = settings
  foreignPath(revision, { what: `${name}: revision`, code: 'INVALID_ARGUMENT' })
  if (!offline) {
    try {
      const listing = await ask(name, settings, signal)
      await remember(join(repository, ownFolder, `${listing.commit}.json`), JSON.stringify({ files: listing.files }))
      if (listing.commit !== revision) await remember(join(repository, 'refs', revision), listing.commit)
      return listing
    } catch (error) {
      const kept = error instanceof SwarmError && error.code === 'UNREACHABLE' && error.retryable
      const listing = kept ? await remembered(repository, revision) : undefined
      if (listing === undefined) throw error
      return listing
    }
  }
  const listing = await remembered(repository, revision)
  if (listing === undefined) {
    throw new SwarmError('NOT_FOUND', `${name}: not in the cache (${repository}), and offline mode is on`)
  }
  return listing
}
