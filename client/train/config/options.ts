// The configuration of a run as the options of `train`. Pure.

import { camelCase } from '../../../common/names.ts'
import type { TrainOptions } from '../options.ts'
import type { TrainConfig } from './schema.ts'

/** Keys that `train` reads under the same name in camel case. */
const direct = [
  'adam_beta1',
  'adam_beta2',
  'adam_epsilon',
  'early_stopping_patience',
  'early_stopping_threshold',
  'gradient_accumulation_steps',
  'greater_is_better',
  'group_by_length',
  'label_smoothing_factor',
  'learning_rate',
  'load_best_model_at_end',
  'loss_scale',
  'lr_scheduler_kwargs',
  'lr_scheduler_type',
  'max_grad_norm',
  'max_steps',
  'num_train_epochs',
  'optim',
  'optim_args',
  'output_dir',
  'per_device_train_batch_size',
  'save_steps',
  'save_strategy',
  'save_total_limit',
  'seed',
  'warmup_ratio',
  'warmup_steps',
  'weight_decay'
] as const satisfies readonly (keyof TrainConfig)[]

function inCamelCase(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [camelCase(name), inner]))
}

/** A run's settings as `train` takes them. */
export function toTrainOptions(config: TrainConfig): Omit<TrainOptions, 'padTokenId'> {
  const entries = direct.map(name => [camelCase(name), inCamelCase(config[name])])
  const metricForBestModel = config.metric_for_best_model.replace(/^eval_/, '')
  return { ...(Object.fromEntries(entries) as Omit<TrainOptions, 'padTokenId'>), metricForBestModel }
}
