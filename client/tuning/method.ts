// The interface of a tuning method: parameters, the ports that they fill, and their gradients. Knows no single method.
// Servers know ports only (docs/architecture.md, "Train").
import type { z } from 'zod'
import type { BlockRange } from '../../common/range.ts'
import type { Float32Tensor, Tensor } from '../../common/tensor.ts'
import type { BlockBias, BlockParameter, LinearModule } from '../../model/family.ts'
import type { Tokenizer } from '../../model/text/tokenizer.ts'
import type { WeightSource } from '../local/changed-weight.ts'
import type { Parameter } from '../local/parameter.ts'
import type { FieldTable } from './fields.ts'

/** Named tensors of ports, as `NamedTensors` of the wire. */
export type PortTensors = Readonly<Record<string, Float32Tensor>>

/** A module outside the blocks that a method changes. */
export interface OutsideModule extends LinearModule {
  /** its weight in the checkpoint, if that is not its name's */
  readonly tensor?: string
  /** of a matrix that is embedding and head: which of them it is */
  readonly where?: 'before' | 'after'
  /** it looks up rows: its weight is [inFeatures, outFeatures] */
  readonly isEmbedding?: boolean
}

/** A module outside the blocks that only its name chooses: the embedding, or the head. */
export interface NamedModule extends OutsideModule {
  readonly path: string
  readonly tensor: string
  /** whether its weight is that of the other one too */
  readonly tied: boolean
}

/** A linear module outside the blocks, by its path in the checkpoint. */
export interface ClientModule extends LinearModule {
  /** as PEFT sees it: without the name of the base model where the task's model lacks it */
  readonly path: string
}

/** What a method may know of the model that it tunes. */
export interface TuningTarget {
  /** linear modules of any block, each name once */
  readonly modules: readonly LinearModule[]
  /** those of one block; blocks of different stacks have different ones */
  modulesOf(block: number): readonly LinearModule[]
  /** linear modules outside the blocks, which the client computes; default none */
  readonly clientModules?: readonly ClientModule[]
  /** embedding and head, which LoRA changes where they are named; default none */
  readonly namedModules?: readonly NamedModule[]
  /** parameters of a block that LoRA can change beside them; default none */
  readonly blockParameters?: readonly BlockParameter[]
  /** LoRA's default modules, by the end of their names; default q_proj and v_proj */
  readonly defaultTargets?: readonly string[]
  /** `model_type` of its configuration */
  readonly modelType?: string
  readonly numBlocks: number
  /** blocks of the encoder, whose input virtual tokens stand before; default none */
  readonly encoder?: BlockRange
  /** blocks of the decoder; default all, where there is no encoder */
  readonly decoder?: BlockRange
  /** PEFT's num_transformer_submodules: 2 for SEQ_2_SEQ_LM; default 1 */
  readonly submodules?: 1 | 2
  /** of the embeddings */
  readonly hiddenSize: number
  /** size of hidden states between blocks, if different; default hiddenSize */
  readonly blockWidth?: number
  readonly vocabSize: number
  readonly numHeads: number
  /** heads of a block's keys and values, and the size of each; needed for prefixes only */
  readonly keyValue?: {
    readonly heads: number
    readonly headDim: number
    /** heads that transformers keeps in its cache, so PEFT in its files, where several have the same values; default heads */
    readonly cachedHeads?: number
  }
  /** what is added in a block; default nothing */
  blockBiases?(block: number): readonly BlockBias[]
  /** norms of a block that have a weight; default none */
  blockNorms?(block: number): readonly BlockBias[]
  /** a norm's weight from the checkpoint; needed to train those of blocks */
  readNorm?(block: number, module: string, options?: { signal?: AbortSignal }): Promise<Float32Tensor>
  /** paths of the modules outside the blocks, as PEFT sees them, without the head; default none */
  readonly outsideModules?: readonly string[]
  /** a module's bias from the checkpoint; needed to train those of blocks */
  readBias?(block: number, module: string, options?: { signal?: AbortSignal }): Promise<Float32Tensor>
  /** a linear module's weight from the checkpoint, as it lies there, by the range of bytes; `block` null: outside the blocks. Needed by adapters that begin from it */
  readWeight?(block: number | null, module: string, options?: { signal?: AbortSignal }): Promise<Float32Tensor>
  /** `model.layers.3.self_attn.q_proj` */
  moduleWeightName(block: number, module: string): string
  /** rows of the embedding matrix, `[ids, hidden]` */
  embedRows(ids: readonly number[], options?: { signal?: AbortSignal }): Promise<Float32Tensor>
  readonly tokenizer?: Pick<Tokenizer, 'encode'>
}

/** The inputs of one forward pass from a method, and the targets of its gradients. */
export interface TuningPass {
  /** Tensors for the ports of blocks by their graph names. Their gradients are what `accumulatePorts` takes. */
  ports(): PortTensors
  /**
   * `[virtualTokens, hidden]`, to be put before every row's embedded input, or `[batch, virtualTokens, hidden]` where rows
   * differ; null where there are none
   */
  promptEmbeddings(): Float32Tensor | null
  /** Adds gradients of ports to the parameters'. Names of other methods' ports are passed over. */
  accumulatePorts(gradients: Readonly<Record<string, Tensor>>): void
  /** Adds the gradient of the prompt embeddings of every row, `[batch, virtualTokens, hidden]`. */
  accumulatePrompt(gradient: Float32Tensor): void
  /** Called once after the others, if gradients must be propagated further. */
  finish?(): Promise<void>
}

export interface TuningPassOptions {
  /** whether the method's own dropout acts */
  readonly training: boolean
  /** of that dropout */
  readonly seed: number
  /** of the batch; default 1 */
  readonly rows?: number
}

/** What a method keeps beside its parameters and later steps depend on. Plain data that a checkpoint can hold. */
export interface TuningState {
  readonly tensors: Readonly<Record<string, Float32Tensor>>
  readonly numbers: Readonly<Record<string, number>>
}

/** One adapter: owns its parameters, converts them to tensors of requests, and converts gradients back. */
export interface TuningMethod<Config = unknown> extends TuningPass {
  /** with every default filled in */
  readonly config: Config
  /** names are those of PEFT's adapter_model.safetensors */
  readonly parameters: readonly Parameter[]
  /** parameters that training does not change; default none */
  readonly frozen?: readonly Parameter[]
  /** probability with which training drops inputs of adapters; 0: none */
  readonly dropout: number
  /** modules outside the blocks that are trained whole with it, by the end of their path; default none */
  readonly modulesToSave?: readonly string[]
  /** the same by whole paths, which the method's own files have under names of its own (`tensorName`); default none */
  readonly wholeModules?: readonly string[]
  /** What the file calls a tensor of a module that is trained whole; undefined: as PEFT's modules_to_save. */
  tensorName?(name: string): string | undefined
  /** keep embedding and head tied if one of them is trained whole; default false */
  readonly tiesWeights?: boolean
  /** every bias outside the blocks is trained with it; default false */
  readonly clientBiases?: boolean
  /** modules outside the blocks that it changes; default none */
  readonly clientModules?: readonly OutsideModule[]
  /** other changes of weights outside the blocks, with the names of their tensors in the checkpoint; default none */
  readonly weightChanges?: readonly (readonly [tensor: string, source: WeightSource])[]
  /** Tensors for these modules by `clientPort`. Their gradients too are what `accumulatePorts` takes. */
  clientPorts?(): PortTensors
  /** tokens put before every row's input */
  readonly virtualTokens: number
  /** positions that trained keys and values take before every row, as PEFT counts them; default 0 */
  readonly prefixTokens?: number
  /** The pass that a forward goes by, where parameters have to be encoded first; else the method is its own pass. */
  begin?(options: TuningPassOptions): Promise<TuningPass>
  /** What training adds to the loss for the parameters as they are, and the way back, which adds `scale` times its gradient. */
  penalty?(): { readonly value: number; backward(scale: number): void }
  /** Called after an optimizer step, while its gradients are still available. */
  afterStep?(step: number): void
  /** A copy of the method's state beside its parameters, for resuming; absent without state. */
  exportState?(): TuningState
  /** Resumes from such a copy, with its step count. Throws BAD_CHECKPOINT if it is of another adapter. */
  importState?(state: TuningState): void
  /** What is saved under the names of PEFT's files; default: the parameters. */
  saved?(options?: SavedForm): Promise<PortTensors>
  /**
   * The parameters' tensors from those of a file; default: they are the same. Throws UNSUPPORTED where the file holds what the
   * blocks cannot take. `path` is for messages.
   */
  fromSaved?(
    tensors: Readonly<Record<string, Tensor>>,
    path: string
  ): Readonly<Record<string, Tensor>> | Promise<Readonly<Record<string, Tensor>>>
  /** Releases its memory beside its parameters; no pass can start afterwards. */
  close?(): Promise<void>
  /** The method's own fields of PEFT's adapter_config.json. */
  describe(context: SavedForm & { readonly baseModel: string }): Record<string, unknown>
}

/** How an adapter is written whose first values were taken out of the weights under it. */
export interface SavedForm {
  /**
   * 'converted': as a plain adapter of twice the rank, as PEFT writes it with `path_initial_model_for_weight_conversion`; 'kept': as it is,
   * for programs that take the first values out again. Default 'converted'
   */
  readonly initialization?: 'converted' | 'kept'
}

export interface CreateOptions {
  /** of the first values; the same seed gives the same values */
  readonly seed: number
  /** false: an adapter is being loaded, its values are about to be overwritten */
  readonly initialize: boolean
  readonly signal?: AbortSignal
}

/** What a method's folder offers to the table of methods. */
export interface MethodDefinition {
  /** PEFT puts something before the model's input and leaves its modules as they are; default false */
  readonly isPromptLearning?: boolean
  /** of its configuration, with `peftType` */
  readonly schema: z.ZodObject
  /** treatment of each field of an adapter_config.json; checked before `read` */
  readonly fields: FieldTable
  /** Throws INVALID_ARGUMENT for a configuration that is wrong in itself or for this model. */
  create(config: unknown, target: TuningTarget, options: CreateOptions): Promise<TuningMethod>
  /**
   * The configuration that an adapter_config.json describes, for `create`.
   * Throws BAD_CHECKPOINT for fields of a wrong type, UNSUPPORTED for variants of the method that are not done here.
   */
  read(fields: Readonly<Record<string, unknown>>, file: string): unknown
}
