// The table of names that configurations of Transformers, TRL, PEFT, Axolotl and LLaMA-Factory have and this one does not: each means
// something here under another name, or has no effect, or is answered with the reason why it is not done. Pure.
import { optimizerNames, scheduleNames } from '../../optim/index.ts'

export type ForeignValues = Readonly<Record<string, unknown>>

/** What becomes of a value: values of this configuration, a line for the user, or a fault. */
export interface Reading {
  readonly values?: ForeignValues
  readonly note?: string
  readonly fault?: string
}

export type NameReader = (value: unknown, name: string) => Reading

const isEmptyObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0

/** What means "not used" in every configuration. */
const isOff = (value: unknown): boolean =>
  value === undefined || value === null || value === false || value === '' || isEmptyObject(value)

/** The same under another name. */
const same =
  (name: string): NameReader =>
  value => ({ values: { [name]: value } })

/** The same as a field of the adapter. */
const adapter =
  (name: string): NameReader =>
  value => ({ values: { peft: { [name]: value } } })

/** Cannot change a result here: accepted, with a line that says so, unless the value means "not used". */
const noEffect =
  (reason: string, ...plain: readonly unknown[]): NameReader =>
  (value, name) =>
    isOff(value) || plain.includes(value) ? {} : { note: `${name} has no effect: ${reason}` }

/** Not done: a fault, unless the value means "not used" or is one of `plain`, which is what is done anyway. */
const refused =
  (reason: string, ...plain: readonly unknown[]): NameReader =>
  value =>
    isOff(value) || plain.includes(value) ? {} : { fault: reason }

/** The same as a fault that names the right key. */
const use = (advice: string, ...plain: readonly unknown[]): NameReader => refused(`use ${advice}`, ...plain)

const precision = refused(
  'the client trains in float32, and each server chooses its own precision (require_dtype selects servers); `codec: bf16` or `fp16` halves ' +
    'what travels between them'
)
const devices = noEffect('the client computes on the CPU, and servers choose their own devices')
const loaders = noEffect('examples are read into memory before training')
const logs = noEffect('metrics.jsonl has a line for every logged step')
const checkpointing = noEffect('servers keep the activations that fit, and recompute the others')
const oneMachine = noEffect('one client trains; servers share its batches')
const sharding = refused('the model is sharded over the servers of the swarm; remove this key', 'none')
const compiled = noEffect('blocks are compiled by ONNX Runtime')
const onHub = refused('adapters are not uploaded; upload output_dir with `hf upload`', 'every_save')
const dataset = use('train_file with the path of a file or folder (docs/training-data.md)')
const quantized = refused('servers quantize (`swarm serve --dtype int8`); require_dtype selects such servers')
const column = refused('rename the column to the name in docs/training-data.md', 'text')
const wholeModel = refused('the weights stay on the servers, unchanged; peft says what is trained')
const order = refused('the order of examples is a shuffle by the seed', 'random')

const strategies = ['no', 'steps', 'epoch'] as const

/** Names of switches: as flags they may stand without a value. */
const switches = {
  adafactor: value => (isOff(value) ? {} : { values: { optim: 'adafactor' } }),
  activation_offloading: checkpointing,
  assistant_only_loss: value =>
    value === false
      ? {
          fault: 'only the assistant’s turns of a chat are learned; use train_on_inputs: true to learn the prompts too'
        }
      : {},
  auto_find_batch_size: noEffect('batches are cut to what each server accepts'),
  average_tokens_across_devices: oneMachine,
  batch_eval_metrics: noEffect('evaluation counts batch by batch'),
  bf16: precision,
  bf16_full_eval: precision,
  completion_only_loss: value => (value === null ? {} : { values: { train_on_inputs: value === false } }),
  dataset_streaming: loaders,
  dataloader_drop_last: refused('the last batch of an epoch is always used'),
  dataloader_in_order: loaders,
  dataloader_persistent_workers: loaders,
  dataloader_pin_memory: loaders,
  ddp_broadcast_buffers: oneMachine,
  ddp_find_unused_parameters: oneMachine,
  ddp_static_graph: oneMachine,
  disable_tqdm: noEffect('the progress bar is drawn on terminals only'),
  do_eval: noEffect('a validation_file or validation_split is evaluated'),
  do_predict: refused('use `swarm eval` after the training'),
  do_train: noEffect('`swarm train` always trains'),
  enable_jit_checkpoint: noEffect('Ctrl-C and SIGTERM save a checkpoint'),
  eval_do_concat_batches: noEffect('evaluation counts batch by batch'),
  eval_on_start: refused('use `swarm eval` before the training'),
  eval_packing: refused('validation examples are not packed'),
  eval_use_gather_object: oneMachine,
  flash_attention: devices,
  fp16: precision,
  fp16_full_eval: precision,
  ignore_pad_token_for_loss: value => (value === false ? { fault: 'no loss is taken of padding' } : {}),
  full_determinism: noEffect('runs are deterministic'),
  gradient_checkpointing: checkpointing,
  hub_always_push: onHub,
  hub_private_repo: onHub,
  ignore_bias_buffers: oneMachine,
  ignore_data_skip: refused('a resumed run goes on at its place in the data'),
  load_in_4bit: quantized,
  load_in_8bit: quantized,
  log_on_each_node: oneMachine,
  logging_first_step: logs,
  logging_nan_inf_filter: refused('a loss that is not finite ends the run with its last good checkpoint', true),
  no_cuda: devices,
  padding_free: noEffect('padding is masked'),
  prediction_loss_only: noEffect('only the measures of the task are computed'),
  overwrite_cache: loaders,
  pad_to_max_length: noEffect('batches are padded to their longest example'),
  push_to_hub: onHub,
  remove_unused_columns: noEffect('other fields of a row are ignored', true),
  restore_callback_states_from_checkpoint: noEffect('a checkpoint holds the whole state of a run'),
  sample_packing: same('packing'),
  save_on_each_node: oneMachine,
  save_only_model: refused('checkpoints hold the optimizer too, so that every run can be resumed'),
  return_entity_level_metrics: noEffect('evaluations have the F1 of each type of entity'),
  save_safetensors: noEffect('adapters are saved as safetensors', true),
  shuffle_dataset: noEffect('examples are shuffled in every epoch'),
  skip_memory_metrics: logs,
  sortish_sampler: value => (isOff(value) ? {} : { values: { group_by_length: true } }),
  tf32: devices,
  torch_compile: compiled,
  trust_remote_code: refused('code of model repositories is never run'),
  use_bnb_nested_quant: quantized,
  use_cache: noEffect('training keeps no KV cache'),
  use_cpu: devices,
  use_dora: adapter('use_dora'),
  use_ipex: devices,
  use_liger_kernel: devices,
  use_mps_device: devices,
  use_peft: value => (value === false ? { fault: 'an adapter is always what is trained (peft)' } : {}),
  use_rslora: adapter('use_rslora'),
  version_2_with_negative: noEffect('questions without an answer are known by their empty list of answers')
} as const satisfies Record<string, NameReader>

const others = {
  accelerator_config: oneMachine,
  activation_checkpointing: checkpointing,
  activation_checkpointing_kwargs: checkpointing,
  adapter: value =>
    typeof value === 'string' && value.toLowerCase() === 'lora'
      ? {}
      : { fault: 'use peft with a peft_type (for QLoRA: LORA, with servers that quantize: require_dtype)' },
  attn_implementation: devices,
  base_model: same('model'),
  batch_size: same('per_device_train_batch_size'),
  bnb_4bit_quant_storage: noEffect('servers quantize'),
  bnb_4bit_quant_type: noEffect('servers quantize', 'nf4'),
  chat_template: use('the chat template in the folder of the model (chat_template.jinja)'),
  chat_template_path: use('the chat template in the folder of the model (chat_template.jinja)'),
  cutoff_len: use('max_seq_length, with truncate: true to cut longer examples'),
  data_seed: use('seed, which also decides the order of examples'),
  dataloader_multiprocessing_context: loaders,
  dataloader_num_workers: loaders,
  dataloader_prefetch_factor: loaders,
  dataset,
  dataset_config: dataset,
  dataset_kwargs: refused('rows are tokenized as docs/training-data.md says'),
  dataset_name: dataset,
  dataset_num_proc: loaders,
  dataset_test_split: use('validation_file', 'test'),
  dataset_text_field: column,
  dataset_train_split: use('train_file', 'train'),
  datasets: dataset,
  ddp_backend: oneMachine,
  ddp_bucket_cap_mb: oneMachine,
  ddp_timeout: noEffect('one client trains; servers share its batches', 1800),
  debug: noEffect("use the option 'logger'"),
  deepspeed: sharding,
  dtype: use('require_dtype to choose the precision of servers; the client computes in float32', 'float32', 'auto'),
  eos_token: refused('the end token is that of the model’s configuration'),
  epochs: same('num_train_epochs'),
  eval_accumulation_steps: noEffect('evaluation counts batch by batch'),
  eval_batch_size: same('per_device_eval_batch_size'),
  eval_delay: refused('evaluation begins with the first epoch or eval_steps', 0),
  evals_per_epoch: use('eval_steps as a share of all steps'),
  evaluation_strategy: same('eval_strategy'),
  finetuning_type: use('peft with a peft_type', 'lora'),
  fp16_opt_level: precision,
  fsdp: sharding,
  fsdp_config: sharding,
  forced_bos_token: refused("set forced_bos_token_id in the model's generation_config.json"),
  generation_config: refused(
    "the settings are generation_max_length, generation_num_beams and those of the model's generation_config.json"
  ),
  gradient_checkpointing_kwargs: checkpointing,
  half_precision_backend: precision,
  hub_model_id: onHub,
  hub_revision: onHub,
  hub_strategy: onHub,
  hub_token: use('the environment variable HF_TOKEN'),
  include_for_metrics: noEffect('the measures of the task are computed'),
  include_num_input_tokens_seen: noEffect('metrics.jsonl counts tokens per second', 'no'),
  include_tokens_per_second: noEffect('metrics.jsonl always has tokens_per_second'),
  jit_mode_eval: compiled,
  label_names: refused('the labels of a task are those of its data (docs/training-data.md)'),
  length_column_name: noEffect('lengths are those of the tokenized examples', 'length'),
  liger_kernel_config: devices,
  local_rank: noEffect('one client trains; servers share its batches', -1),
  log_level: use("the option 'logger'", 'passive'),
  log_level_replica: oneMachine,
  logging_dir: noEffect('event files are in runs/ of output_dir'),
  logging_strategy: refused('use logging_steps: a number of steps, or a share of all steps below 1', 'steps'),
  lora_alpha: adapter('lora_alpha'),
  lora_dropout: adapter('lora_dropout'),
  lora_modules_to_save: adapter('modules_to_save'),
  lora_r: adapter('r'),
  lora_rank: adapter('r'),
  lora_target: adapter('target_modules'),
  lora_target_linear: value => (isOff(value) ? {} : { values: { peft: { target_modules: 'all-linear' } } }),
  lora_target_modules: adapter('target_modules'),
  lora_target_parameters: adapter('target_parameters'),
  lora_task_type: same('task_type'),
  loss_type: refused('the loss is the mean negative log-likelihood of the labels', 'nll'),
  lr: same('learning_rate'),
  lr_scheduler: same('lr_scheduler_type'),
  max_answer_length: use('`swarm eval --max-answer-length`', 30),
  max_eval_samples: refused('every validation example is evaluated: give a smaller file'),
  max_source_length: same('max_seq_length'),
  max_train_samples: refused('every training example is used: give a smaller file, or max_steps'),
  max_grad_value: use('max_grad_norm'),
  max_length: use('max_seq_length, with truncate: true to cut longer examples as SFTTrainer does'),
  micro_batch_size: same('per_device_train_batch_size'),
  model_init_kwargs: refused('use the keys of this configuration: revision, require_dtype, codec'),
  model_name: same('model'),
  model_name_or_path: same('model'),
  model_revision: same('revision'),
  mp_parameters: sharding,
  n_best_size: noEffect('the best answer is searched among all spans'),
  neftune_noise_alpha: refused('noise on embeddings (NEFTune) is not implemented'),
  num_beams: same('generation_num_beams'),
  num_epochs: same('num_train_epochs'),
  optim_target_modules: refused('GaLore and APOLLO are not implemented'),
  optimizer: same('optim'),
  packing_strategy: refused('packing is by best fit decreasing', 'bfd'),
  pad_to_multiple_of: noEffect('batches are padded to their longest example', 'auto'),
  pad_to_sequence_len: noEffect('batches are padded to their longest example'),
  pad_token: noEffect('padding is masked, so its token changes nothing'),
  parallelism_config: sharding,
  past_index: refused('Transformer-XL is not implemented', -1),
  per_gpu_eval_batch_size: same('per_device_eval_batch_size'),
  per_gpu_train_batch_size: same('per_device_train_batch_size'),
  project: noEffect('only TensorBoard is written', 'huggingface'),
  ray_scope: noEffect('one run is trained', 'last'),
  resume_from_checkpoint: use("the option 'resume', with the path of a checkpoint or without one"),
  router_aux_loss_coef: refused('the loss of routers is not added: their weights stay as they are', 0),
  run_name: noEffect('a run is known by its output_dir'),
  saves_per_epoch: use('save_steps as a share of all steps, or save_strategy: epoch'),
  sequence_len: use('max_seq_length, with truncate: true to cut longer examples'),
  split_batches: oneMachine,
  stage: use('peft; supervised fine-tuning is what is done', 'sft'),
  source_column: column,
  template: use('the chat template in the folder of the model'),
  summary_column: column,
  target_column: column,
  test_file: use('validation_file, or `swarm eval`'),
  tokenizer: refused('the tokenizer is that of the model'),
  torch_compile_backend: compiled,
  torch_compile_mode: compiled,
  torch_dtype: use(
    'require_dtype to choose the precision of servers; the client computes in float32',
    'float32',
    'auto'
  ),
  torch_empty_cache_steps: devices,
  torchdynamo: compiled,
  tpu_metrics_debug: devices,
  tpu_num_cores: devices,
  trackio_bucket_id: noEffect('only TensorBoard is written'),
  trackio_space_id: noEffect('only TensorBoard is written'),
  trackio_static_space_id: noEffect('only TensorBoard is written'),
  train_sampling_strategy: (value, name) =>
    value === 'group_by_length' ? { values: { group_by_length: true } } : order(value, name),
  truncation_mode: refused('truncate cuts the end off', 'keep_start', 'keep_end'),
  unfreeze: wholeModel,
  val_file: same('validation_file'),
  val_max_target_length: same('generation_max_length'),
  val_set_size: value => (value === 0 || isOff(value) ? {} : { values: { validation_split: value } }),
  wandb_entity: noEffect('only TensorBoard is written'),
  wandb_project: noEffect('only TensorBoard is written'),
  wandb_run_id: noEffect('only TensorBoard is written'),
  xpu_backend: devices
} as const satisfies Record<string, NameReader>

/** Names of other configurations that are switches. */
export const foreignSwitches: readonly string[] = Object.keys(switches)

/** Names of other configurations that take a value. */
export const foreignValues: readonly string[] = Object.keys(others)

/** Optimizers of Hugging Face that make the same steps as one here: where their states lie is no matter. */
const sameOptimizers: Readonly<Record<string, string>> = {
  adamw_torch: 'adamw',
  adamw_torch_fused: 'adamw',
  adamw_torch_xla: 'adamw',
  adamw_torch_npu_fused: 'adamw',
  adamw_hf: 'adamw',
  paged_adamw: 'adamw',
  paged_adamw_32bit: 'adamw',
  lion_32bit: 'lion',
  paged_lion_32bit: 'lion'
}

function optimizer(value: unknown): Reading {
  const name = String(value)
  const known = sameOptimizers[name]
  if (known !== undefined) return { values: { optim: known } }
  if (
    typeof value !== 'string' ||
    !/^[a-z]+(?:_[a-z0-9]+)+$|^(?:ademamix|adagrad|rmsprop|lomo|adalomo|grokadamw)$/.test(name)
  ) {
    return { values: { optim: value } }
  }
  const eight = /8bit|4bit/.test(name) ? ' (states are float32: an adapter’s are small)' : ''
  return { fault: `'${name}' is not implemented; there are ${optimizerNames.join(', ')}${eight}` }
}

/** Courses of the learning rate that Hugging Face has and this does not. */
const otherSchedules: ReadonlySet<string> = new Set([
  'reduce_lr_on_plateau',
  'cosine_warmup_with_min_lr',
  'warmup_stable_decay',
  'greedy'
])

/** `momentum=0.9, nesterov=True` */
function optimizerArguments(value: unknown): Reading {
  if (typeof value !== 'string') return { values: { optim_args: value } }
  const pairs = value.split(',').map(pair => pair.split('=').map(part => part.trim()))
  if (pairs.some(pair => pair.length !== 2)) {
    return { fault: `expected a mapping or name=value pairs, found ${JSON.stringify(value)}` }
  }
  const read = (text = ''): unknown => {
    if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true'
    return text !== '' && Number.isFinite(Number(text)) ? Number(text) : text
  }
  return { values: { optim_args: Object.fromEntries(pairs.map(([name, text]) => [name, read(text)])) } }
}

/** Loggers that Hugging Face's Trainer reports to. */
function loggers(value: unknown): Reading {
  const names = (Array.isArray(value) ? value : [value]).map(String)
  const missing = names.filter(name => !['none', 'all', 'tensorboard'].includes(name))
  if (missing.length > 0) {
    return {
      fault: `${missing.join(', ')}: not implemented; metrics.jsonl is always written, and report_to: tensorboard writes event files`
    }
  }
  return { values: { report_to: names.some(name => name !== 'none') ? ['tensorboard'] : [] } }
}

/** ForeignValues of keys that are this configuration's own, as others write them. */
const ownKeys: Readonly<Record<string, NameReader>> = {
  optim: optimizer,
  optim_args: optimizerArguments,
  report_to: loggers,
  lr_scheduler_type: value =>
    otherSchedules.has(String(value))
      ? { fault: `'${value}' is not implemented; there are ${scheduleNames.join(', ')}` }
      : { values: { lr_scheduler_type: value } },
  warmup_steps: value =>
    typeof value === 'number' && value > 0 && value < 1
      ? { values: { warmup_ratio: value } }
      : { values: { warmup_steps: value } },
  save_strategy: same('save_strategy'),
  eval_strategy: value =>
    strategies.includes(value as (typeof strategies)[number])
      ? { values: { eval_strategy: value } }
      : { fault: `expected one of ${strategies.join(', ')}, found ${JSON.stringify(value)}` }
}

/** Fields of PEFT's configurations that the sections here do not have. */
const adapterFields: Readonly<Record<string, NameReader>> = {
  alora_invocation_tokens: refused('Activated LoRA is not implemented'),
  alpha: adapter('lora_alpha'),
  alpha_pattern: refused('alpha_pattern is a field of LORA'),
  arrow_config: refused('Arrow routing is not implemented'),
  auto_mapping: noEffect('the method is known by its peft_type'),
  base_model_name_or_path: noEffect('the model is that of the run'),
  beta1: refused('beta1 is a field of ADALORA'),
  bias: refused('biases are not trained by this method', 'none'),
  corda_config: refused('CorDA changes the weights of the model, which servers hold'),
  deltaT: adapter('delta_t'),
  dropout: adapter('lora_dropout'),
  encoder_hidden_size: refused('this method has no encoder'),
  eva_config: refused('EVA needs the inputs of every module before training; it is not implemented'),
  fan_in_fan_out: noEffect('the layout of weights is known from the model'),
  inference_mode: refused('a run trains its adapter'),
  init_ia3_weights: refused('IA3 starts as the unchanged model', true),
  init_lora_weights: refused('AdaLoRA has its own first values', true),
  kasa_config: refused('KaSA is not implemented'),
  layer_replication: refused('blocks cannot be repeated: servers hold each once'),
  loftq_config: refused('loftq_config is a field of LORA', {}),
  lora_bias: refused('lora_bias is a field of LORA', false),
  lora_ga_config: refused('LoRA-GA changes the weights of the model, which servers hold'),
  megatron_config: refused('Megatron is not used'),
  megatron_core: refused('Megatron is not used', 'megatron.core'),
  monteclora_config: refused('MonteCLoRA is not implemented'),
  num_attention_heads: noEffect('it is read from the model'),
  num_layers: noEffect('it is read from the model'),
  num_transformer_submodules: noEffect('it follows from the task'),
  peft_version: noEffect('the adapter is saved in the format of PEFT 0.21'),
  qalora_group_size: refused('QALoRA is not implemented', 16),
  r: refused('r is a field of LORA; ADALORA has init_r and target_r', 8),
  rank: adapter('r'),
  rank_pattern: refused('rank_pattern is a field of LORA'),
  revision: use('revision outside of peft'),
  runtime_config: noEffect('it says how PEFT moves weights'),
  target_parameters: refused('target_parameters is a field of LORA'),
  task_type: value => (value === null ? {} : { values: { task_type: value } }),
  token_dim: noEffect('it is read from the model'),
  tokenizer_kwargs: refused('the tokenizer is that of the model'),
  tokenizer_name_or_path: noEffect('the tokenizer is that of the model'),
  trainable_token_indices: refused('trainable_token_indices is a field of LORA'),
  use_effective_conv2d: noEffect('models of language have no convolutions'),
  use_bdlora: refused('BD-LoRA is not implemented'),
  use_dora: refused('use_dora is a field of LORA', false),
  use_qalora: refused('QALoRA is not implemented'),
  use_rslora: refused('use_rslora is a field of LORA'),
  velora_config: refused('VeLoRA is not implemented')
}

const readerIn = (table: Readonly<Record<string, NameReader>>, name: string): NameReader | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

/** How a key is read; undefined: under its own name. */
export function readerOf(name: string): NameReader | undefined {
  return readerIn(ownKeys, name) ?? readerIn(switches, name) ?? readerIn(others, name)
}

/** How a field of an adapter is read that its method does not know; undefined: it is unknown. */
export function adapterReaderOf(name: string): NameReader | undefined {
  return readerIn(adapterFields, name)
}
