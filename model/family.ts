// What a folder of a model family offers: its configuration, its tensors, and its block, embedding and head as graphs.
import type { BlockRange } from '../common/range.ts'
import type { Float32Tensor, Tensor } from '../common/tensor.ts'
import type { GraphBuilder } from '../graph/builder.ts'
import type { Graph, Value } from '../graph/graph.ts'
import type { ModelConfig, RawConfig, Stack } from './config/config.ts'
import type { Precision } from './quantize/precision.ts'

/** A linear module of a block that an adapter may change. Its weight is `[outFeatures, inFeatures]`. */
export interface LinearModule {
  /** path inside the block, as PEFT resolves it: `self_attn.q_proj` */
  readonly name: string
  readonly inFeatures: number
  readonly outFeatures: number
  /** its weight is `[inFeatures, outFeatures]` (Conv1D of GPT-2); adapters lie the same way as for any other */
  readonly transposed?: boolean
  /** rounding to 4 bits costs more than the module weighs (docs/decisions/0018): it is held in 8 then */
  readonly sensitive?: boolean
  /** of a module outside the blocks: it adds a bias, which changes of its weight leave as it is. Default false */
  readonly biased?: boolean
  /** its LoRA takes no dropout: it is part of a parameter */
  readonly undropped?: boolean
  /** its input are the encoder's hidden states [batch, source, in]: keys and values of cross attention */
  readonly fromEncoder?: boolean
}

/** A parameter of a block that LoRA changes although it is no linear module in transformers: PEFT's `target_parameters`. */
export interface BlockParameter {
  /** path inside the block in transformers: `mlp.experts.gate_up_proj` */
  readonly name: string
  /** of the matrix of one expert, `[outFeatures, inFeatures]` */
  readonly inFeatures: number
  readonly outFeatures: number
  /** modules of the block whose rows, one below the other, are the matrix of each expert; a plain matrix has one expert */
  readonly experts: readonly (readonly LinearModule[])[]
}

/** A bias of a block, `[size]`: of a linear module or of a norm. */
export interface BlockBias {
  /** path of its module in the block: `mlp.c_fc`, `ln_1` */
  readonly name: string
  readonly size: number
}

/** Kinds of inputs by which a request changes a block (docs/architecture.md, "Train"). */
export type PortKind =
  | 'lora'
  | 'base'
  | 'scale'
  | 'hadamard'
  | 'kronecker'
  | 'rotation'
  | 'bias'
  | 'norm'
  | 'prompt'
  | 'prefix'

export interface SpanOptions {
  /** half-open, absolute block numbers; they name weights, ports and caches */
  readonly blocks: BlockRange
  /** exactly the ports that the request fills: `blocks.3.lora.self_attn.q_proj.A`; others are not in the graph */
  readonly ports: readonly string[]
  /** adds an input `blocks.<i>.lora.<module>.mask` `[batch, seq, in]` beside each LoRA port; forwardSpan only */
  readonly dropout?: boolean
  /** of the blocks' matrices; default float32 */
  readonly precision?: Precision
}

export interface DecodeOptions extends SpanOptions {
  /** false: primitive operators even where the fused attention operator would do. Default: fused where it can be */
  readonly fused?: boolean
}

/** A tensor that a checkpoint of the family must hold. */
export interface ExpectedTensor {
  readonly name: string
  readonly shape: readonly number[]
}

export interface ClientTensorNames {
  readonly embedding: string
  /** the norm before the head; null where there is none */
  readonly norm: string | null
  /** the embedding's name where they are tied */
  readonly head: string
}

/** Tables that span graphs take as inputs, by their names there; row p is for position p. */
export type PositionTables = Readonly<Record<string, Float32Tensor>>

interface ClientOptions {
  /** the tensors are inputs named as in the checkpoint, so that gradients can be wanted; else weights of a file */
  readonly trainable?: boolean
  /** which stack the states enter or have left; default: the first for `embed` and `enter`, the last for the others */
  readonly stack?: Stack['name']
}

export interface LossOptions extends ClientOptions {
  /** share of the target that is spread over all classes; default 0 */
  readonly labelSmoothing?: number
}

/** Tasks whose heads differ by family. */
export type HeadTask = 'SEQ_CLS' | 'TOKEN_CLS' | 'QUESTION_ANS' | 'MASKED_LM'

/**
 * What a head's loss compares logits [batch, positions, classes] with:
 * `classes`: `labels` int64 [batch, positions], mean cross entropy over those that are not -100;
 * `flags`: `targets` float32 like the logits, mean binary cross entropy of their sigmoids;
 * `numbers`: `targets` float32 like the logits, mean squared distance;
 * `spans`: `labels` int64 [batch, 2], the positions of a first and a last token, mean of the two cross entropies over the positions,
 * each over the labels that are not -100; with `padding` float32 [batch, positions], which is added to the logits of both.
 */
export type HeadLossKind = 'classes' | 'flags' | 'numbers' | 'spans'

export interface TaskGraphOptions {
  readonly task: HeadTask
  /** classes of the task: labels; 2 for QUESTION_ANS; the vocabulary for MASKED_LM */
  readonly classes: number
  /** adds inputs `dropout`, `dropout.1`, … that states are multiplied with, one for each place of the head where transformers drops */
  readonly dropout?: boolean
  /** adds an input `labels` or `targets` and an output `loss` */
  readonly loss?: HeadLossKind
  /** of a loss over classes; default 0 */
  readonly labelSmoothing?: number
}

/** Which state of a sequence a head takes: every one, the first token's, the last token's, that of the last end token, or the mean over all tokens. */
export type HeadPosition = 'every' | 'first' | 'last' | 'end' | 'mean'

/** Layers over the client's tensors and the head's, by their whole names. */
export interface HeadLayers {
  tensor(name: string): Value
  /** x times the module's matrix, with its bias where it has one */
  project(x: Value, module: string): Value
  layerNorm(x: Value, module: string, options: { readonly epsilon: number }): Value
  rmsNorm(x: Value, module: string, options: { readonly epsilon: number }): Value
}

export interface HeadContext {
  readonly g: GraphBuilder
  readonly config: ModelConfig
  readonly scope: HeadLayers
  /** classes of the task: labels; 2 for QUESTION_ANS; the vocabulary for MASKED_LM */
  readonly classes: number
  /** x with the head's dropout, where the pass has some; each call is a place of its own */
  drop(x: Value): Value
}

/** The head of a Hugging Face class `…For<Task>` of a family. */
export interface HeadDescription {
  /** the stack whose states the head takes; default the last one */
  readonly stack?: Stack['name']
  readonly takes: HeadPosition
  /** tensors of the head that the body does not have, as the class's checkpoints name them: `classifier.weight`, `pre_classifier.bias` */
  tensors(config: ModelConfig, classes: number): readonly ExpectedTensor[]
  /** fields of config.json with the probability of the dropout; the first that is there counts */
  readonly dropoutFields: readonly string[]
  /** where none is there */
  readonly dropout: number
  /** states [batch, positions, width], after the last norm -> logits [batch, positions, classes] */
  logits(context: HeadContext, states: Value): Value
}

/**
 * How the tokens of a row are numbered for embeddings, and for angles where blocks turn queries and keys: `tokens`, those that the mask keeps (padding gets 0); `places`, every
 * place of the row, padding too; `ids`, those whose id is not `padTokenId`, whatever the mask says (others get -1). Rows that begin
 * with virtual tokens have no ids there: `ids` then counts places, as transformers does with `inputs_embeds`.
 */
export type PositionRule =
  | { readonly counts: 'tokens' | 'places' }
  | { readonly counts: 'ids'; readonly padTokenId: number }

export interface Family {
  /** values of `model_type` in config.json */
  readonly modelTypes: readonly string[]
  /** Throws BAD_CHECKPOINT naming the field, UNSUPPORTED for options that the family's graphs do not do. */
  parseConfig(raw: RawConfig): ModelConfig
  /** the configuration as the names of the stored tensors complete it: those that a model may have or not */
  withStored(config: ModelConfig, isStored: (name: string) => boolean): ModelConfig
  /** fields of generation_config.json that the model's class adds where its folder has none */
  generationDefaults(config: ModelConfig): RawConfig
  /** tensors of one block with the shapes that the configuration implies */
  blockTensors(config: ModelConfig, block: number): readonly ExpectedTensor[]
  /** everything before the first block and after the last, with the shapes that the configuration implies; tied ones once */
  clientTensors(config: ModelConfig): readonly ExpectedTensor[]
  blockTensorNames(config: ModelConfig, block: number): string[]
  /** other names under which files may hold a client's tensor, with its own name: `encoder.embed_tokens.weight` for `shared.weight` */
  clientAliases(config: ModelConfig): Readonly<Record<string, string>>
  clientTensorNames(config: ModelConfig): ClientTensorNames
  /** of a block; blocks of different stacks have different ones */
  linearModules(config: ModelConfig, block: number): readonly LinearModule[]
  /** linear modules outside the blocks that adapters can change, by their whole paths; the head is none of them */
  clientLinearModules(config: ModelConfig): readonly LinearModule[]
  /** parameters that LoRA can change beside them, in the order in which transformers names them */
  blockParameters(config: ModelConfig): readonly BlockParameter[]
  /** what LoRA ports may name: linear modules, and the modules that parameters are made of */
  portModules(config: ModelConfig, block: number): readonly LinearModule[]
  /** the block's tensors that are added to something */
  blockBiases(config: ModelConfig, block: number): readonly BlockBias[]
  /** the block's norms that have a weight, by the paths of their modules */
  blockNorms(config: ModelConfig, block: number): readonly BlockBias[]
  /** modules that LoRA changes where nothing else is said, by the end of their names, as in PEFT */
  readonly defaultTargets: readonly string[]
  /** `model.layers.3.self_attn.q_proj`: PEFT's module path, and with `.weight` the checkpoint's tensor */
  moduleWeightName(config: ModelConfig, block: number, module: string): string
  /**
   * hidden, mask, cos, sin, ports -> hidden_out; differentiable. Blocks that cross-attend also take in `encoder_hidden` [batch, source,
   * hidden] and `encoder_mask` int64 [batch, source]. The blocks are of one stack.
   */
  forwardSpan(config: ModelConfig, options: SpanOptions): Graph
  /**
   * hidden, seqlens_k, total_sequence_length, cos, sin, past.*, ports -> hidden_out, present.*. Blocks that cross-attend also take in
   * what `crossSpan` made, `cross.<i>.key|value` [batch, heads, source, headDim], and `encoder_mask` int64 [batch, source]. The blocks
   * are of the decoder's stack: others have no cache.
   */
  decodeSpan(config: ModelConfig, options: DecodeOptions): Graph
  /** encoder_hidden [batch, source, hidden], ports -> cross.<i>.key|value [batch, heads, source, headDim], once a session; null where no block cross-attends */
  crossSpan(config: ModelConfig, options: SpanOptions): Graph | null
  /**
   * lora and base ports -> `gain.<port>` [out] of every `blocks.<i>.lora.<module>.magnitude`: the magnitude divided by the norms of the
   * changed weight's rows. `decodeSpan` and `crossSpan` take in these gains under the names of the magnitudes, so that a session computes
   * the norms once. Null where no port is a magnitude.
   */
  gainSpan(config: ModelConfig, options: SpanOptions): Graph | null
  /** ids int64 [batch, seq], positions and token types int64 [batch, seq] where the family has some -> hidden [batch, seq, hidden] */
  embed(config: ModelConfig, options?: ClientOptions): Graph
  /** what rows of the embedding matrix are multiplied with as they are looked up */
  embeddingScale(config: ModelConfig): number
  /** what `embed` does after that: states [batch, seq, width], positions, types -> hidden; null where that is nothing */
  enter(config: ModelConfig, options?: ClientOptions): Graph | null
  /** hidden [batch, seq, hidden] -> logits [batch, seq, vocab] */
  head(config: ModelConfig, options?: ClientOptions): Graph
  /**
   * What a decoder reads while it learns to write labels int64 [batch, seq] (-100: none): the same, one place to the right, behind the
   * token that the model's class puts first. Throws INVALID_ARGUMENT where the configuration names no such token, or no padding.
   */
  decoderInputs(config: ModelConfig, labels: Tensor<'int64'>): Tensor<'int64'>
  /**
   * hidden, labels int64 [batch, seq] -> loss [], logits; mean over labels != -100 of cross entropy. A label is the next token of a decoder
   * alone; behind an encoder it is what stands at the state's own place, since `decoderInputs` are shifted.
   */
  headLoss(config: ModelConfig, options?: LossOptions): Graph
  /** hidden [batch, seq, hidden] -> states [batch, seq, width], after the last norm */
  features(config: ModelConfig, options?: ClientOptions): Graph
  /** numbers of such a state: of a hidden state, in most families */
  featureWidth(config: ModelConfig): number
  positionRule(config: ModelConfig): PositionRule
  /** number of token types that `embed` and `enter` know by an input `types`; 0 where they take none */
  tokenTypes(config: ModelConfig): number
  /** from the first token's state to a vector for the whole sequence, as transformers' `pooler_output`; null where its class has none */
  pooler(config: ModelConfig): HeadDescription | null
  /** the head of a task, as transformers has it for this family; null where it has no class for the task */
  taskHead(config: ModelConfig, task: HeadTask): HeadDescription | null
  /**
   * hidden [batch, seq, hidden] -> logits [batch, positions, classes]; every tensor an input, so that gradients can be wanted. Where the head
   * takes one state of a sequence, `hidden` is [batch, 1, hidden]; where it takes their mean, an input `share` [batch, 1, seq] says what
   * each counts. Throws INTERNAL where there is no head for the task.
   */
  taskGraph(config: ModelConfig, options: TaskGraphOptions): Graph
  /** path of a module or tensor in transformers' class for a task: a base model lacks its own name, some classes call it otherwise */
  pathIn(config: ModelConfig, task: string, path: string): string
  /**
   * cos and sin of every angle, [positions, rotated / 2]; empty where nothing is rotated. `length` is that of the whole sequence: angles
   * that depend on it (dynamic scaling) are, without it, those of a sequence that ends with the position.
   */
  rotaryTables(config: ModelConfig, positions: number, length?: number): PositionTables
}
