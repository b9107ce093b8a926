// A model that other peers hold as a model folder: its small files and index fetched first, tensors when they are provided, each
// checked against its hash. Kept on this machine, so that the next start asks for nothing again. Knows no network.

import { dirname, join } from 'node:path'
import { messageOf, SwarmError } from '../../common/errors.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { writeWhole } from '../../common/files/whole-file.ts'
import { type OnProgress, runStage } from '../../common/progress.ts'
import type { FolderOptions, ModelFolder } from '../formats/folder.ts'
import { openLocalFolder } from '../formats/folder.ts'
import type { TensorInfo } from '../formats/tensor-info.ts'
import { readJsonObject } from '../json.ts'
import { type ByteSource, PartialFile } from '../partial/partial-file.ts'
import type { ByteRange } from '../partial/ranges.ts'
import { fetchTensors } from '../partial/tensors.ts'
import { namedModuleFiles } from '../sentence-files.ts'
import { sharedFiles } from './files.ts'
import { layOut, type PeerLayout } from './index-file.ts'

/** Peers that hold a model. Every call names one of them. */
export interface ModelPeers {
  /** the model's identity, hex */
  readonly model: string
  /** peer ids, the best first */
  list(): Promise<readonly string[]>
  /** a file of the model's folder, or `index.json`; undefined if the peer has none */
  file(peer: string, name: string, options: FolderOptions): Promise<Uint8Array | undefined>
  /** sha256 of each tensor's stored bytes that the peer holds */
  hashes(peer: string, tensors: readonly string[], options: FolderOptions): Promise<ReadonlyMap<string, string>>
  /** stored bytes of a tensor */
  bytes(peer: string, tensor: string, range: ByteRange, options: FolderOptions): AsyncIterable<Uint8Array>
}

export interface PeerFolderOptions extends FolderOptions {
  /** hears of the stages `download` and `verify` */
  readonly onProgress?: OnProgress
}

/** Peers whose hashes are compared before a tensor is believed. */
const witnesses = 3
const dataFile = 'tensors.bin'
const verifiedFile = 'verified.json'

const peerFormatFile = 'index.json'

/** The first peer's answer; other peers are asked only if it fails. */
async function firstOf<T>(peers: readonly string[], what: string, ask: (peer: string) => Promise<T>): Promise<T> {
  const failures: string[] = []
  for (const peer of peers) {
    try {
      return await ask(peer)
    } catch (error) {
      failures.push(`${peer.slice(-8)}: ${messageOf(error)}`)
    }
  }
  throw new SwarmError('UNREACHABLE', `${what}: no peer gave it (${failures.join('; ') || 'there is none'})`)
}

class PeerFolder implements ModelFolder {
  readonly path: string
  readonly name: string
  readonly files: ReadonlySet<string>
  readonly layout: PeerLayout
  readonly #peers: ModelPeers
  readonly #partial: PartialFile
  readonly #options: PeerFolderOptions
  readonly #verified: Map<string, string>
  readonly #distrusted = new Map<string, Set<string>>()
  readonly #givenBy = new Map<string, string>()

  constructor(
    local: ModelFolder,
    layout: PeerLayout,
    verified: Map<string, string>,
    peers: ModelPeers,
    options: PeerFolderOptions
  ) {
    this.path = local.path
    this.name = layout.name
    this.files = local.files
    this.layout = layout
    this.#peers = peers
    this.#options = options
    this.#verified = verified
    this.#partial = new PartialFile(join(local.path, dataFile), layout.size, this.#source(), { joinedGapBytes: 0 })
  }

  json(file: string, { signal }: FolderOptions = {}) {
    return readJsonObject(join(this.path, file), signal)
  }

  async open(file: string): Promise<never> {
    throw new SwarmError('BAD_CHECKPOINT', `${join(this.path, file)}: a model from peers has no such file`)
  }

  async holds(tensor: TensorInfo): Promise<boolean> {
    return this.#verified.has(tensor.name)
  }

  async provide(tensors: readonly TensorInfo[], options: FolderOptions = {}): Promise<void> {
    const wanted = tensors.filter(tensor => !this.#verified.has(tensor.name))
    if (wanted.length === 0) return
    const hashes = await this.#agreedHashes(
      wanted.map(tensor => tensor.name),
      options
    )
    // a peer that sends wrong bytes is not asked for that tensor again
    for (let remaining = wanted, round = 0; remaining.length > 0; round++) {
      const { onProgress } = this.#options
      await fetchTensors(remaining, () => this.#partial, { signal: options.signal, name: this.name, onProgress })
      const wrong: TensorInfo[] = []
      const total = remaining.reduce((sum, { length }) => sum + length, 0)
      await runStage(onProgress, { stage: 'verify', name: this.name, unit: 'bytes', total }, async ({ add }) => {
        for (const tensor of remaining) {
          if ((await this.#hash(tensor)) === hashes.get(tensor.name))
            this.#verified.set(tensor.name, hashes.get(tensor.name)!)
          else wrong.push(tensor)
          add(tensor.length)
        }
      })
      await writeWhole(join(this.path, verifiedFile), JSON.stringify(Object.fromEntries(this.#verified)))
      for (const { name, offset, length } of wrong) {
        await this.#partial.forget({ start: offset, end: offset + length })
        const giver = this.#givenBy.get(name)
        if (giver !== undefined) this.#distrust(name, giver)
        if (round >= witnesses || giver === undefined) {
          throw new SwarmError('BAD_CHECKPOINT', `tensor '${name}' from ${giver ?? 'an earlier start'}: wrong checksum`)
        }
      }
      remaining = wrong
    }
  }

  #distrust(tensor: string, peer: string): void {
    const peers = this.#distrusted.get(tensor) ?? new Set()
    this.#distrusted.set(tensor, peers.add(peer))
  }

  async #hash({ offset, length }: TensorInfo): Promise<string> {
    return await this.#partial.hashRange({ start: offset, end: offset + length })
  }

  /** Asks several peers for the hashes. Throws BAD_CHECKPOINT if they differ, NOT_FOUND if no peer holds a tensor. */
  async #agreedHashes(names: readonly string[], options: FolderOptions): Promise<ReadonlyMap<string, string>> {
    const peers = await this.#peers.list()
    const agreed = new Map<string, { hash: string; peer: string; count: number }>()
    for (const peer of peers) {
      const open = names.filter(name => (agreed.get(name)?.count ?? 0) < witnesses)
      if (open.length === 0) break
      const said = await this.#peers.hashes(peer, open, options).catch(() => {
        options.signal?.throwIfAborted()
        return new Map<string, string>() // others may know
      })
      for (const [name, hash] of said) {
        const before = agreed.get(name)
        if (before !== undefined && before.hash !== hash) {
          throw new SwarmError(
            'BAD_CHECKPOINT',
            `tensor '${name}': peers ${before.peer} and ${peer} hold different bytes (one of them is broken, or lies)`
          )
        }
        agreed.set(name, { hash, peer: before?.peer ?? peer, count: (before?.count ?? 0) + 1 })
      }
    }
    const missing = names.find(name => !agreed.has(name))
    if (missing !== undefined) {
      throw new SwarmError('NOT_FOUND', `tensor '${missing}': no peer that answers holds it (${peers.length} asked)`)
    }
    return new Map([...agreed].map(([name, { hash }]) => [name, hash]))
  }

  /** Translates ranges of the file to ranges of tensors; each comes from the first peer that sends it. */
  #source(): ByteSource {
    const tensors = [...this.layout.tensors.values()]
    const folder = this
    return {
      async *read({ start, end }, options) {
        const tensor = tensors.find(({ offset, length }) => offset <= start && end <= offset + length)
        if (tensor === undefined) throw new SwarmError('INTERNAL', `bytes ${start}-${end} are not within one tensor`)
        const distrusted = folder.#distrusted.get(tensor.name)
        const peers = (await folder.#peers.list()).filter(peer => !distrusted?.has(peer))
        const failures: unknown[] = []
        let at = start
        for (const peer of peers) {
          try {
            const range = { start: at - tensor.offset, end: end - tensor.offset }
            for await (const bytes of folder.#peers.bytes(peer, tensor.name, range, options)) {
              folder.#givenBy.set(tensor.name, peer)
              at += bytes.length
              yield bytes
            }
            if (at >= end) return
          } catch (error) {
            options.signal?.throwIfAborted()
            failures.push(error)
          }
        }
        const reasons = failures.map(messageOf).join('; ')
        throw new SwarmError('UNREACHABLE', `tensor '${tensor.name}': no peer gave it (${reasons || 'there is none'})`)
      }
    }
  }
}

/** The tensors of a folder that came from peers, or undefined for any other. */
export function peerTensors(folder: ModelFolder): ReadonlyMap<string, TensorInfo> | undefined {
  return folder instanceof PeerFolder ? folder.layout.tensors : undefined
}

/**
 * Opens the model of these peers, kept under `directory/<identity>`. Throws UNREACHABLE if no peer sends its index,
 * BAD_CHECKPOINT for one that is not sound.
 */
export async function openPeerFolder(
  peers: ModelPeers,
  directory: string,
  options: PeerFolderOptions = {}
): Promise<ModelFolder> {
  if (!/^[0-9a-f]{64}$/.test(peers.model))
    throw new SwarmError('INVALID_ARGUMENT', `'${peers.model}' is not a model identity`)
  const path = join(directory, peers.model)
  await makeFolder(path)
  const here = await openLocalFolder(path)
  // the index comes last: where it is, the others were asked for
  const complete = here.files.has(peerFormatFile)
  const fetch = async (name: string): Promise<void> => {
    const ask = async (peer: string) => ({ bytes: await peers.file(peer, name, options) })
    const { bytes } = await firstOf(await peers.list(), name, ask)
    if (bytes === undefined) return
    await makeFolder(dirname(join(path, name)))
    await writeWhole(join(path, name), bytes)
  }
  if (!complete) {
    for (const name of sharedFiles) if (!here.files.has(name)) await fetch(name)
    for (const name of await namedModuleFiles(path, options.signal)) await fetch(name)
    await fetch(peerFormatFile)
  }
  const layout = layOut(await readJsonObject(join(path, peerFormatFile), options.signal), join(path, dataFile))
  const kept = Object.entries((await readJsonObject(join(path, verifiedFile), options.signal)) ?? {})
  const verified = new Map(kept.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
  return new PeerFolder(await openLocalFolder(path), layout, verified, peers, options)
}
