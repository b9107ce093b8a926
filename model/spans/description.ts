// The description of a family; define-family.ts derives the rest of the Family contract.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { ModelConfig, RawConfig, Stack } from '../config/config.ts'
import type {
  BlockParameter,
  ClientTensorNames,
  ExpectedTensor,
  HeadDescription,
  HeadTask,
  LinearModule,
  PositionRule,
  PositionTables
} from '../family.ts'
import type { AttentionKind, Projections } from '../layers/attention.ts'
import type { BlockScope, TensorScope } from '../layers/scope.ts'

/** Mixes tokens: returns [batch, seq, numHeads * headDim]. */
export type Attend = (projections: Projections) => Value

export interface BlockContext<C extends ModelConfig> {
  readonly g: GraphBuilder
  readonly config: C
  readonly scope: BlockScope
  readonly attend: Attend
  /** Mixes the encoder's states into queries [batch, seq, heads * headDim]; only for blocks that cross-attend. */
  readonly attendCross: (query: Value) => Value
}

export interface ClientContext<C extends ModelConfig> {
  readonly g: GraphBuilder
  readonly config: C
  /** what the hidden states enter or have left */
  readonly stack: Stack['name']
  readonly scope: TensorScope
}

export interface FamilyDescription<C extends ModelConfig = ModelConfig> {
  readonly modelTypes: readonly string[]
  parseConfig(raw: RawConfig): C
  /** what names of a block's tensors begin with, without the last dot: `model.layers.3`, `encoder.block.3` */
  blockPath(block: number, config: C): string
  linearModules(config: C, block: number): readonly LinearModule[]
  /** default none */
  clientLinearModules?(config: C): readonly LinearModule[]
  /** default: none */
  blockParameters?(config: C): readonly BlockParameter[]
  /** of PEFT's utils/constants.py */
  readonly defaultTargets: readonly string[]
  /** linear modules that have a bias, by name */
  biasedModules(config: C, block: number): readonly string[]
  /** tensors of a block beside those of its linear modules, by their path in it */
  otherTensors(config: C, block: number): readonly ExpectedTensor[]
  /** tensors that all blocks of a stack use, by their whole names: a table of biases that one block owns. Default none */
  sharedTensors?(config: C, block: number): readonly ExpectedTensor[]
  /** how a block attends */
  attention(config: C, block: number): AttentionKind
  /** hidden [batch, seq, hidden] -> the same */
  block(context: BlockContext<C>, hidden: Value): Value
  /** Keys and values of a block's cross attention from the encoder's hidden states [batch, source, hidden], each [batch, source, heads * headDim]. */
  crossProjections?(
    context: Pick<BlockContext<C>, 'g' | 'config' | 'scope'>,
    encoderHidden: Value
  ): Pick<Projections, 'key' | 'value'>
  clientTensorNames(config: C): ClientTensorNames
  /** tensors of the client beside embedding and head */
  clientTensors(config: C): readonly ExpectedTensor[]
  /** other names under which files may hold a client's tensor. Default none */
  aliases?(config: C): Readonly<Record<string, string>>
  /** whether the last label of a row is what its decoder begins with (mBART: the language). Default: `decoderStartTokenId` is */
  startsWithLast?(config: C): boolean
  /** the configuration as the names of the stored tensors complete it. Default: as config.json says */
  withStored?(config: C, isStored: (name: string) => boolean): C
  /** what the model's class adds to a generation where its folder has no generation_config.json. Default nothing */
  generationDefaults?(config: C): RawConfig
  /** shape of the embedding matrix where its rows are not as wide as hidden states */
  embeddingWidth?(config: C): number
  embeddingScale?(config: C): number
  /** numbers of a state after the last norm. Default: `embeddingWidth`, as a tied head needs it */
  featureWidth?(config: C): number
  /** default: tokens that the mask keeps */
  positionRule?(config: C): PositionRule
  /** default: 0 */
  tokenTypes?(config: C): number
  /** What follows the lookup, where something does; `positions()` and `types()` int64 [batch, seq]. */
  enter?(context: ClientContext<C>, states: Value, positions: () => Value, types: () => Value): Value
  /** whether `enter` does anything for this configuration; default true where it is there */
  enters?(config: C): boolean
  /** From the last block's output to what is multiplied with the head's matrix. */
  leave(context: ClientContext<C>, hidden: Value): Value
  /** From what `leave` gives to what is multiplied with the head's matrix, where heads of tasks take it as it leaves. */
  beforeHead?(context: ClientContext<C>, states: Value): Value
  /** What becomes of the product. */
  finish?(context: ClientContext<C>, logits: Value): Value
  /** see Family; default: none */
  pooler?(config: C): HeadDescription | null
  /** heads of tasks, where transformers has a class of the family for them; default: those of transformers' generic decoders */
  taskHead?(config: C, task: HeadTask): HeadDescription | null
  /** Path of a module or tensor in transformers' class for a task. Default: without the name of the base model for FEATURE_EXTRACTION. */
  pathIn?(config: C, task: string, path: string): string
  rotaryTables(config: C, positions: number, length?: number): PositionTables
}
