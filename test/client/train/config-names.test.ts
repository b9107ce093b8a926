// Every name of Transformers', TRL's and PEFT's configurations is understood or answered (scripts/reference/config_names.py).
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Command } from 'commander'
import { resolveTrainConfig } from '../../../cli/train/config.ts'
import { addConfigOptions } from '../../../cli/train/flags.ts'
import { learningRateAt, warmupStepsOf } from '../../../client/optim/index.ts'
import { foreignSwitches, foreignValues } from '../../../client/train/config/index.ts'
import {
  parseTrainConfig,
  readConfigYaml,
  type TrainConfig,
  toTrainOptions,
  trainConfigSchema
} from '../../../client/train/index.ts'
import { intervalOf } from '../../../client/train/plan.ts'
import { readReference } from '../../../testing/references.ts'

type Fields = Readonly<Record<string, unknown>>

const reference = readReference<{
  TrainingArguments: Fields
  SFTConfig: Fields
  ModelConfig: Fields
  ScriptArguments: Fields
  peft: Record<string, Fields>
  steps: { total: number; share: number; steps: number; warmup: number }[]
  optimizers: string[]
  schedules: string[]
}>('config-names.json')

const needed = { model: 'm', train_file: 'a.jsonl', output_dir: 'out' }

function answerTo(values: Fields): { config?: TrainConfig; notes: string[]; fault: string } {
  const notes: string[] = []
  try {
    const config = parseTrainConfig(
      { ...needed, ...values },
      () => undefined,
      line => notes.push(line)
    )
    return { config, notes, fault: '' }
  } catch (error) {
    return { notes, fault: (error as Error).message }
  }
}

/** A value that is not "not used". */
const used = (value: unknown): unknown =>
  typeof value === 'number' ? value + 3 : typeof value === 'boolean' ? true : 'something'

suite('names of other configurations', () => {
  test("Axolotl's lora_target_parameters are PEFT's target_parameters, a field of LORA alone", () => {
    const { config, fault } = answerTo({ lora_target_parameters: ['gate.weight'], peft: { peft_type: 'LORA' } })
    assert.equal(fault, '')
    assert.deepEqual((config!.peft as Fields).target_parameters, ['gate.weight'])
    const other = answerTo({ peft: { peft_type: 'IA3', target_parameters: ['gate.weight'] } })
    assert.match(other.fault, /target_parameters is a field of LORA/)
  })

  for (const source of ['TrainingArguments', 'SFTConfig', 'ModelConfig', 'ScriptArguments'] as const) {
    test(`every field of ${source} is understood, has a note, or is answered with a sentence`, () => {
      for (const [name, value] of Object.entries(reference[source])) {
        for (const given of [value, used(value)]) {
          const { fault, notes } = answerTo({ [name]: given })
          assert.ok(!fault.includes('unknown key'), `${name}: ${fault}`)
          if (fault !== '') assert.match(fault, new RegExp(`${name}|eval_steps`), fault)
          if (notes.length > 0) assert.match(notes[0]!, new RegExp(`^${name} has no effect: \\S`))
          assert.ok(
            Object.hasOwn(trainConfigSchema.shape, name) || [...foreignSwitches, ...foreignValues].includes(name),
            name
          )
        }
      }
    })
  }

  test('the defaults of TrainingArguments and SFTConfig make a run, but for what is not done', () => {
    const both: Record<string, unknown> = { ...reference.TrainingArguments, ...reference.SFTConfig }
    const faults = answerTo({ ...both, output_dir: 'out' }).fault.split(/; (?=[a-z_]+: )/)
    assert.deepEqual(
      faults.map(fault => /(?:configuration: )?([a-z_]+):/.exec(fault.replace('training configuration: ', ''))?.[1]),
      ['max_length', 'assistant_only_loss']
    )
    const { max_length, assistant_only_loss, ...others } = both
    const { config } = answerTo({ ...others, output_dir: 'out' })
    assert.equal(config?.optim, 'adamw')
    assert.equal(config?.learning_rate, 2e-5)
  })

  for (const [type, fields] of Object.entries(reference.peft)) {
    test(`every field of PEFT's ${type} too`, () => {
      const required = type === 'ADALORA' || type === 'LORA' || type === 'IA3' ? {} : { num_virtual_tokens: 4 }
      for (const [name, value] of Object.entries(fields)) {
        if (name === 'peft_type') continue
        const plain = answerTo({ peft: { peft_type: type, ...required, ...(value === null ? {} : { [name]: value }) } })
        assert.equal(plain.fault, '', `the default of ${name}`)
        const { fault } = answerTo({ peft: { peft_type: type, ...required, [name]: used(value) } })
        assert.ok(!fault.includes('unknown key'), `${name}: ${fault}`)
      }
    })
  }

  test('every optimizer and course of the learning rate is known, or answered with those there are', () => {
    const accepted = (key: string, names: readonly string[], more: Fields = {}) =>
      names.filter(name => {
        const { fault } = answerTo({ [key]: name, ...more })
        if (fault !== '') assert.match(fault, new RegExp(`${key}: '${name}' is not implemented; there are `))
        return fault === ''
      })
    assert.deepEqual(accepted('optim', reference.optimizers), [
      'adamw_torch',
      'adamw_torch_fused',
      'adamw_torch_xla',
      'adamw_torch_npu_fused',
      'adafactor',
      'sgd',
      'lion_32bit',
      'paged_adamw_32bit',
      'paged_lion_32bit'
    ])
    const known = accepted('lr_scheduler_type', reference.schedules, { lr_scheduler_kwargs: { min_lr: 0 } })
    assert.deepEqual(known, [
      'linear',
      'cosine',
      'cosine_with_restarts',
      'polynomial',
      'constant',
      'constant_with_warmup',
      'inverse_sqrt',
      'cosine_with_min_lr'
    ])
    const settings = { learningRate: 1, warmupSteps: 0, totalSteps: 10 }
    for (const name of known) assert.ok(learningRateAt(name as 'linear', 1, settings) > 0)
  })

  test('mean the same as they do there', () => {
    const text = `
model_name_or_path: base
lora_r: 16
lora_alpha: 32
lora_dropout: 0.05
lora_target_modules: [q_proj]
bf16: false
gradient_checkpointing: true
evaluation_strategy: steps
validation_split: 0.1
eval_steps: 0.1
save_strategy: epoch
warmup_steps: 0.03
optim: adamw_torch_fused
optim_args: "momentum=0.9, nesterov=True"
report_to: tensorboard
num_epochs: 2
micro_batch_size: 4
lr_scheduler: cosine
deepspeed: null
`
    const { values, locate } = readConfigYaml(text, 'run.yaml')
    const notes: string[] = []
    const config = parseTrainConfig({ train_file: 'a', output_dir: 'o', ...values }, locate, line => notes.push(line))
    const { r, lora_alpha, lora_dropout, target_modules } = config.peft as Fields
    assert.deepEqual([r, lora_alpha, lora_dropout, target_modules], [16, 32, 0.05, ['q_proj']])
    assert.deepEqual([config.model, config.eval_strategy, config.eval_steps], ['base', 'steps', 0.1])
    assert.deepEqual([config.optim, config.optim_args], ['adamw', { momentum: 0.9, nesterov: true }])
    assert.deepEqual([config.warmup_ratio, config.warmup_steps, config.report_to], [0.03, 0, ['tensorboard']])
    const { numTrainEpochs, perDeviceTrainBatchSize, lrSchedulerType, saveStrategy } = toTrainOptions(config)
    assert.deepEqual(
      [numTrainEpochs, perDeviceTrainBatchSize, lrSchedulerType, saveStrategy],
      [2, 4, 'cosine', 'epoch']
    )
    assert.deepEqual(notes, [
      'gradient_checkpointing has no effect: servers keep the activations that fit, and recompute the others'
    ])
  })

  test('are answered where they stand, all at once', () => {
    const { values, locate } = readConfigYaml(
      'bf16: true\nlora_r: many\nr: 3\nreport_to: [wandb]\npeft:\n  use_bdlora: true\n',
      'run.yaml'
    )
    assert.throws(() => parseTrainConfig({ ...needed, ...values }, locate), {
      code: 'INVALID_ARGUMENT',
      message:
        /run\.yaml:1: bf16: the client trains in float32, .*run\.yaml:4: report_to: wandb: not implemented; .*run\.yaml:6: peft\.use_bdlora: BD-LoRA is not implemented.*run\.yaml:2: lora_r: .*run\.yaml:3: unknown key 'r'/
    })
    assert.throws(() => parseTrainConfig({ ...needed, lora_r: 4, peft: { r: 8 } }), {
      message: /peft\.r: says another value than lora_r \(both mean peft\.r\)/
    })
    for (const hostile of ['{ "__proto__": 1 }', '{ "peft": { "__proto__": 1 } }', '{ "constructor": 1 }']) {
      const given = JSON.parse(hostile) as object
      assert.throws(() => parseTrainConfig({ ...needed, ...given }), {
        message: /unknown key '(?:peft\.)?(?:__proto__|constructor)'/
      })
    }
    const both = { lora_target_modules: ['q_proj'], peft: { target_modules: ['q_proj'] } }
    assert.deepEqual((parseTrainConfig({ ...needed, ...both }).peft as Fields).target_modules, ['q_proj'])
    const agreed = parseTrainConfig({ ...needed, lora_r: 8, peft: { r: 8 } })
    assert.equal((agreed.peft as Fields).r, 8)
  })

  test('are flags too, which go before a file', async () => {
    const command = addConfigOptions(new Command('train')).exitOverride()
    command.parse(
      ['--lora-r', '4', '--lora-target-modules', 'q_proj', 'v_proj', '--gradient-checkpointing', '--eval-steps', '0.5'],
      { from: 'user' }
    )
    const notes: string[] = []
    const config = await resolveTrainConfig({
      model: 'm',
      trainFiles: ['a.jsonl'],
      joinIsDefault: false,
      flags: { ...command.opts(), outputDir: 'o', validationSplit: '0.1', logLevel: 'warn' },
      note: line => notes.push(line)
    })
    assert.deepEqual((config.peft as Fields).target_modules, ['q_proj', 'v_proj'])
    assert.deepEqual([(config.peft as Fields).r, config.eval_steps, notes.length], [4, 0.5, 1])
  })
})

test('a share of a run is as many steps as in Transformers', () => {
  for (const { total, share, steps, warmup } of reference.steps) {
    assert.equal(intervalOf(share, total), steps)
    const { warmupRatio } = toTrainOptions(parseTrainConfig({ ...needed, warmup_steps: share }))
    assert.equal(warmupStepsOf({ warmupRatio }, total), warmup)
  }
  assert.equal(intervalOf(500, 20), 500)
})
