// A model without files of it: everything comes from servers of the swarm. For clients, and for servers that join.
import type { OnProgress } from '../common/progress.ts'
import { type Checkpoint, openCheckpoint } from '../model/checkpoint/checkpoint.ts'
import { openPeerFolder } from '../model/peers/folder.ts'
import { findModel } from '../network/model-exchange.ts'
import type { Network } from '../network/node.ts'

/** Configuration, tokenizer and tensors from servers of the swarm instead of files; hashes are checked. */
export interface FromPeers {
  /** folder that keeps what was fetched, by the model's identity */
  readonly directory: string
  /** hears of the stages `download` and `verify`; default: what the caller of the whole operation gives */
  readonly onProgress?: OnProgress
}

/**
 * Opens the model that the swarm serves under a name (or whose identity begins so): configuration, tokenizer and index are
 * fetched, tensors when they are read, each checked by its hash. Throws NOT_FOUND, UNREACHABLE, BAD_CHECKPOINT where peers
 * disagree or give wrong bytes, MODEL_MISMATCH where the index is not that of the model announced.
 */
export async function openFromPeers(
  name: string,
  network: Network,
  { directory, onProgress }: FromPeers,
  options: { signal?: AbortSignal; blocksOnly?: boolean } = {}
): Promise<Checkpoint> {
  const peers = await findModel(network, name, options)
  const folder = await openPeerFolder(peers, directory, { ...options, onProgress })
  return openCheckpoint(name, { ...options, folder, identity: peers.model })
}
