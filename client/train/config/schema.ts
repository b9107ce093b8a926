// The configuration of a training run: keys, defaults and what they mean. Names and defaults are those of Hugging Face's
// TrainingArguments where it has them; where a default differs the description says so.
import { z } from 'zod'
import { codecNames } from '../../../proto/frame.ts'
import { problemTypes } from '../../local/labels.ts'
import { optimizerNames, scheduleNames } from '../../optim/index.ts'
import { dataFormatNames, dataTasks } from '../data/index.ts'
import { defaultLearningRate } from '../options.ts'
import { peftSection } from './peft.ts'

const count = z.int().min(1)
const share = z.number().min(0).lt(1)
/** Steps, or below 1 a share of all steps of the run, rounded up. */
const steps = z
  .number()
  .gt(0)
  .refine(value => value < 1 || Number.isInteger(value), 'expected a whole number of steps, or a share below 1')
const paths = z.union([z.string(), z.array(z.string()).min(1)])

const codec = z.enum(codecNames)

const model = {
  model: z.string().describe('folder, GGUF file or hub name of the checkpoint'),
  revision: z.string().optional().describe('branch, tag or commit of a hub model; default: main'),
  from_peers: z
    .boolean()
    .default(false)
    .describe('fetch the model from servers of the swarm, by the name that they announce'),
  initial_peers: z
    .array(z.string())
    .default([])
    .describe('addresses of peers already in the swarm; none: by --swarm, or on the LAN'),
  require_dtype: z
    .enum(['fp32', 'int8', 'int4'])
    .optional()
    .describe('use only servers with this precision; default: any'),
  task_type: z.enum(dataTasks).optional().describe('task; default: the one that the data is for'),
  labels: z
    .array(z.string())
    .min(2)
    .optional()
    .describe('names of the classes in their order; default: those in the data'),
  problem_type: z
    .enum(problemTypes)
    .optional()
    .describe('what the labels of texts are; default: by the labels in the data'),
  codec: z
    .union([codec, z.strictObject({ activations: codec.optional(), gradients: codec.optional() })])
    .default('fp32')
    .describe('encoding of hidden states and their gradients on the wire, one for both or each'),
  audit: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('share of the results that are recomputed on other servers; servers that lie are dropped'),
  loss_scale: z
    .union([z.number().gt(0), z.literal('dynamic')])
    .default(1)
    .describe('factor of the loss in the backward pass, for gradients in fp16; or dynamic'),
  peft: peftSection.prefault({ peft_type: 'LORA' }).describe('what is trained, under the names of PEFT')
}

const data = {
  train_file: paths.describe('files or folders of examples: .jsonl, .json, .csv, .tsv, .txt'),
  validation_file: paths.optional().describe('files or folders of examples for evaluation; default: none'),
  validation_split: z
    .number()
    .gt(0)
    .lt(1)
    .optional()
    .describe('share of the training examples kept for evaluation; default: none'),
  data_format: z
    .enum(dataFormatNames)
    .optional()
    .describe('format of every file; default: detected from its first row'),
  max_seq_length: count.optional().describe("longest example in tokens; default: the model's positions"),
  max_target_length: count
    .optional()
    .describe("longest text to be written, in tokens, with SEQ_2_SEQ_LM; default: the model's positions"),
  source_prefix: z.string().default('').describe('text before every source with SEQ_2_SEQ_LM, such as "summarize: "'),
  doc_stride: count.optional().describe('tokens that pieces of a long context share, with QUESTION_ANS; default: 128'),
  truncate: z.boolean().default(false).describe('cut longer examples at their end instead of refusing them'),
  train_on_inputs: z.boolean().default(false).describe('compute the loss over prompts, too'),
  packing: z.boolean().default(false).describe('pack short examples into sequences of full length'),
  group_by_length: z.boolean().default(false).describe('batch examples of similar length')
}

const optimization = {
  num_train_epochs: z.number().gt(0).default(3).describe('passes over the examples'),
  max_steps: z.int().default(-1).describe('optimizer steps; above 0 it replaces num_train_epochs'),
  per_device_train_batch_size: count.default(8).describe('examples in a training batch'),
  per_device_eval_batch_size: count.default(8).describe('examples in an evaluation batch'),
  gradient_accumulation_steps: count.default(1).describe('batches in an optimizer step'),
  optim: z.enum(optimizerNames).default('adamw').describe('optimizer'),
  learning_rate: z
    .number()
    .min(0)
    .default(defaultLearningRate)
    .describe('peak learning rate (Hugging Face: 5e-5, for whole models)'),
  lr_scheduler_type: z
    .enum(scheduleNames as [(typeof scheduleNames)[number]])
    .default('linear')
    .describe('learning rate schedule'),
  lr_scheduler_kwargs: z
    .strictObject({
      num_cycles: z.number().gt(0).optional(),
      power: z.number().gt(0).optional(),
      lr_end: z.number().min(0).optional(),
      timescale: z.number().gt(0).optional(),
      min_lr: z.number().min(0).optional(),
      min_lr_rate: z.number().min(0).max(1).optional(),
      warmup_min_lr: z.number().min(0).optional(),
      warmup_type: z.enum(['log', 'linear']).optional()
    })
    .default({})
    .describe('settings of some schedules: num_cycles, power, min_lr and others; default: none'),
  warmup_steps: z.int().min(0).default(0).describe('steps of learning rate warm-up'),
  warmup_ratio: share.default(0).describe('warm-up as a share of all steps'),
  weight_decay: z.number().min(0).default(0).describe('weight decay; biases and norms are exempt'),
  adam_beta1: share.default(0.9).describe('beta1 of adamw and lion'),
  adam_beta2: share.optional().describe('beta2 of adamw (default: 0.999) and lion (default: 0.99)'),
  adam_epsilon: z.number().min(0).default(1e-8).describe('epsilon of adamw'),
  optim_args: z
    .strictObject({
      momentum: z.number().min(0).optional(),
      dampening: z.number().optional(),
      nesterov: z.boolean().optional(),
      clip_threshold: z.number().gt(0).optional(),
      decay_rate: z.number().optional(),
      scale_parameter: z.boolean().optional()
    })
    .default({})
    .describe('settings of sgd and adafactor: momentum, clip_threshold and others; default: none'),
  max_grad_norm: z.number().min(0).default(1).describe('clip the gradient norm to this; 0: never'),
  label_smoothing_factor: share.default(0).describe('label smoothing: share of the target spread over all classes'),
  seed: z.int().min(0).default(42).describe('seed of initial values, order, dropout and split')
}

const run = {
  output_dir: z.string().describe('folder of the run: adapter, checkpoints, metrics.jsonl, loss.svg, config.yaml'),
  overwrite_output_dir: z.boolean().default(false).describe('replace the run in output_dir'),
  logging_steps: steps.default(1).describe('steps between two lines of metrics.jsonl, or a share of all steps below 1'),
  report_to: z
    .array(z.enum(['tensorboard']))
    .default([])
    .describe('write metrics to these beside metrics.jsonl: tensorboard; default: none'),
  eval_strategy: z
    .enum(['no', 'steps', 'epoch'])
    .optional()
    .describe('when validation examples are evaluated; default: every eval_steps, else once an epoch'),
  eval_steps: steps
    .optional()
    .describe('steps between two evaluations, or a share of all steps below 1; default: once an epoch'),
  predict_with_generate: z
    .boolean()
    .default(false)
    .describe('evaluations also write texts and measure them, with SEQ_2_SEQ_LM: ROUGE, BLEU, exact match'),
  generation_max_length: count.optional().describe('longest written text in tokens; default: max_target_length'),
  generation_num_beams: count.default(1).describe('beams of written texts'),
  save_strategy: z
    .enum(['no', 'steps', 'epoch', 'best'])
    .default('steps')
    .describe('when checkpoints are written; the end of a run always has one'),
  save_steps: steps.default(500).describe('steps between two checkpoints, or a share of all steps below 1'),
  save_total_limit: count.optional().describe('checkpoints to keep, the best among them; default: all'),
  load_best_model_at_end: z.boolean().default(false).describe('save the parameters of the best evaluation at the end'),
  metric_for_best_model: z
    .string()
    .default('loss')
    .describe('measure that ranks evaluations: loss, or another of the task (docs/evaluation.md)'),
  greater_is_better: z.boolean().default(false).describe('a greater metric_for_best_model is better'),
  early_stopping_patience: count
    .optional()
    .describe('stop after this many evaluations without improvement; default: never'),
  early_stopping_threshold: z.number().min(0).default(0).describe('least change that counts as an improvement')
}

/** Keys by what they are about, for help. */
export const trainConfigGroups = {
  Model: Object.keys(model),
  Data: Object.keys(data),
  Optimization: Object.keys(optimization),
  Run: Object.keys(run)
} as const

/** Settings of a run as YAML has them, under the names of Hugging Face's TrainingArguments. */
export const trainConfigSchema = z.strictObject({ ...model, ...data, ...optimization, ...run })

/** A run as configured, every default filled in. */
export type TrainConfig = z.output<typeof trainConfigSchema>
