// What a model on the client is made of. Both the plain model and one with an adapter work over it.
import type { Logger } from '../common/logger.ts'
import type { Checkpoint } from '../model/checkpoint.ts'
import type { Tokenizer } from '../model/tokenizer.ts'
import type { Network } from '../network/network.ts'
import type { Embeddings } from './embeddings.ts'
import type { LanguageHead } from './head.ts'
import type { Parameter } from './parameter.ts'
import type { RemoteSequential } from './remote/chain.ts'

export interface ModelParts {
  readonly checkpoint: Checkpoint
  readonly network: Network
  /** the tensors outside the blocks by their names in the checkpoint; tied ones once */
  readonly parameters: ReadonlyMap<string, Parameter>
  readonly embeddings: Embeddings
  readonly blocks: RemoteSequential
  readonly head: LanguageHead
  /** null where the model directory has none */
  readonly tokenizer: Tokenizer | null
  readonly logger: Logger
  close(): Promise<void>
}
