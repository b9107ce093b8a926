// The peft section of a run's configuration: what the methods take, under PEFT's names as its files have them.
import { z } from 'zod'
import { camelCase, snakeCase } from '../../../common/names.ts'
import { type PeftConfig, peftSchemas } from '../../tuning/index.ts'

type Shape = z.ZodObject['shape']

/** What is known only when the run is: AdaLoRA's length is that of the training; its pattern is of a saved adapter. */
function ofRun(shape: Shape): Shape {
  const { rankPattern, totalStep, ...rest } = shape
  return totalStep === undefined ? shape : { ...rest, totalStep: z.optional(totalStep) }
}

/** What each key means; a default that depends on something else is said. */
const meanings: Readonly<Record<string, string>> = {
  peft_type: 'tuning method; default: LORA',
  alpha: 'scale of the update: alpha / r',
  alpha_pattern: 'alpha of single modules, by names or regular expressions; default: none',
  beta1: 'smoothing of the sensitivity of ranks',
  beta2: 'smoothing of the uncertainty of ranks',
  bias: 'biases to train beside the adapter',
  block_share: 'turn all blocks of a module alike',
  boft_block_num: 'blocks of a module, instead of boft_block_size',
  boft_block_size: 'size of the blocks that turn the input; default: 4',
  boft_dropout: 'share of the blocks of one factor that training leaves as they are',
  boft_n_butterfly_factor: 'factors of a rotation: each more lets twice as many numbers mix',
  coft: 'keep rotations within eps of none',
  d_initial: 'first value of the factors between the projections',
  decompose_both: 'the left factor may be of low rank, too',
  decompose_factor: 'size of the smaller factor; -1: near the square root of the module',
  delta_t: 'steps between two allocations of ranks',
  encoder_dropout: 'dropout of the prompt encoder',
  encoder_hidden_size: "width of the prompt encoder; default: the model's",
  encoder_num_layers: 'layers of the prompt encoder',
  encoder_reparameterization_type: 'kind of the prompt encoder',
  ensure_weight_tying: 'train a tied embedding and head as one matrix; default: off',
  eps: 'of coft: how far a rotation may go',
  exclude_modules: 'modules to leave out, by ends of names or a regular expression; default: none',
  feedforward_modules: "of target_modules, those whose input is scaled; default: PEFT's for the model type",
  init_ia3_weights: 'start from ones, which change nothing; false: at random',
  init_lora_weights:
    'start from an adapter that changes nothing; false: at random; gaussian, orthogonal, pissa, pissa_niter_<n>, olora, mica, loftq as PEFT',
  init_r: 'rank of every module at the start',
  init_weights: 'zero: start the vectors of the blocks at zero; default: at random',
  layers_pattern: 'name of the list of blocks, for layers_to_transform; default: found by itself',
  layers_to_transform: 'numbers of the blocks to adapt; default: all',
  lora_alpha: 'scale of the update: lora_alpha / r',
  loftq_config: 'loftq_bits: bits of the servers, 4 or 8, for init_lora_weights loftq; default: none',
  lora_bias: 'train a bias of every B; default: off',
  lora_dropout: 'dropout before the adapter',
  module_dropout: 'probability that training leaves a module as it is',
  modules_to_save: 'modules outside the blocks to train whole, such as lm_head; default: none',
  num_cayley_neumann_terms: 'terms of the series of use_cayley_neumann',
  num_virtual_tokens: 'number of trained tokens; required',
  oft_block_size: 'size of the blocks that turn the input, instead of r; default: 32',
  orth_reg_weight: 'weight of the orthogonality penalty',
  prefix_projection: 'compute the prefix by a trained projection',
  prefix_stack: 'stack of an encoder-decoder model that gets the prefix; default: the decoder, as PEFT',
  projection_prng_key: 'seed of the projections that all modules share',
  prompt_tuning_init: 'where trained tokens start from',
  prompt_tuning_init_text: 'text to start from, with prompt_tuning_init TEXT; default: none',
  r: 'rank of the update',
  rank_dropout: 'dropout of rows of the update',
  rank_dropout_scale: 'scale the kept rows up by rank_dropout',
  rank_pattern: 'rank of single modules, by names or regular expressions; default: none',
  save_projection: 'save the projections with the adapter',
  target_modules:
    "modules to adapt: ends of names, a regular expression, or all-linear; default: PEFT's for the model type",
  target_parameters: 'parameters to adapt that are no modules, such as experts; default: none',
  target_r: 'mean rank of the modules at the end',
  tfinal: 'steps at the end without allocation of ranks',
  tinit: 'steps at the start without allocation of ranks',
  trainable_token_indices: 'tokens whose rows of the embedding to train; default: none',
  total_step: 'steps of the whole training; default: those of the run',
  use_cayley_neumann: 'make rotations by a series; false: by an exact inverse',
  use_dora: 'bring the rows of changed weights to trained magnitudes; default: off',
  use_rslora: 'scale by lora_alpha / sqrt(r)',
  vera_dropout: 'dropout before the projections'
}

/** The type with its meaning, in help and in docs/train.schema.json. */
const explained = (name: string, type: z.core.$ZodType): z.core.$ZodType => {
  const meaning = meanings[name]
  return meaning === undefined ? type : (type as z.ZodType).describe(meaning)
}

const sections = peftSchemas.map(({ shape }) => {
  const named = Object.entries(ofRun(shape)).map(([key, type]) => {
    const name = snakeCase(key)
    return [name, explained(name, type)] as const
  })
  return z.strictObject({ peft_type: z.string(), ...Object.fromEntries(named) })
})

/** One method's section, told by `peft_type`. */
export const peftSection = z.discriminatedUnion('peft_type', sections as unknown as [(typeof sections)[number]])

/** Names that any method knows. */
export const peftKeys = [...new Set(sections.flatMap(({ shape }) => Object.keys(shape)))]

/** Names that the method of a section knows; undefined where there is no such method. */
export function peftKeysOf(peftType: unknown): ReadonlySet<string> | undefined {
  const found = sections.find(({ shape }) => shape.peft_type.safeParse(peftType).success)
  return found && new Set(Object.keys(found.shape))
}

/** The section as `getPeftModel` takes it. */
export function toPeftConfig(section: Readonly<Record<string, unknown>>, totalSteps: number): PeftConfig {
  const config = Object.fromEntries(Object.entries(section).map(([name, value]) => [camelCase(name), value]))
  if (config.peftType === 'ADALORA') config.totalStep ??= totalSteps
  return config as unknown as PeftConfig
}
