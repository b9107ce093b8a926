// The parts of a model on the client. Both the plain model and one with an adapter work over it.
import type { Logger } from '../../common/logger.ts'
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import type { Tokenizer } from '../../model/text/tokenizer.ts'
import type { Network } from '../../network/network.ts'
import type { LanguageHead } from '../heads/language.ts'
import type { Embeddings } from '../local/embeddings.ts'
import type { Parameter } from '../local/parameter.ts'
import type { LocalPrograms } from '../local/programs.ts'
import type { RemoteSequential } from '../remote/chain.ts'
import type { TuningMethod } from '../tuning/index.ts'

export interface ModelParts {
  readonly checkpoint: Checkpoint
  readonly network: Network
  /** the tensors outside the blocks that the task uses, by their names in the checkpoint; tied ones once */
  readonly parameters: ReadonlyMap<string, Parameter>
  /** graphs over them */
  readonly programs: LocalPrograms
  readonly embeddings: Embeddings
  readonly blocks: RemoteSequential
  /** null where the model directory has none */
  readonly tokenizer: Tokenizer | null
  readonly logger: Logger
  /** what adapters over the model hold; closed with it */
  readonly owned: Set<{ close(): Promise<void> }>
  close(): Promise<void>
}

/** A model's parts with the head of its task. */
export type TaskParts<Head> = ModelParts & { readonly head: Head }

export type CausalParts = TaskParts<LanguageHead>

/** Of a model with an adapter over it. */
export interface AdaptedParts<Base, Head> {
  /** the model under the adapter; it goes on as if there were none */
  readonly base: Base
  readonly method: TuningMethod
  /** with parameters of its own */
  readonly head: Head
}
