// The configuration of a run: what is wrong is named where it stands, what is right reaches the trainer under its name.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  parseTrainConfig,
  readConfigYaml,
  type TrainConfig,
  toPeftConfig,
  toTrainOptions,
  trainConfigSchema,
  writeConfigYaml
} from '../../../client/train/index.ts'
import { camelCase, editDistance, nearestName, snakeCase } from '../../../common/names.ts'
import { trainSchemaText } from '../../../scripts/train-schema.ts'

const needed = { model: 'm', train_file: 'a.jsonl', initial_peers: ['/ip4/127.0.0.1/tcp/1'], output_dir: 'out' }

const parseText = (text: string): TrainConfig => {
  const { values, locate } = readConfigYaml(text, 'run.yaml')
  return parseTrainConfig({ ...needed, ...values }, locate)
}

suite('a configuration', () => {
  test('has the defaults of Hugging Face and PEFT', () => {
    const config = parseTrainConfig(needed)
    const { per_device_train_batch_size, num_train_epochs, max_steps, lr_scheduler_type, optim, adam_beta2, seed } =
      config
    assert.deepEqual(
      { per_device_train_batch_size, num_train_epochs, max_steps, lr_scheduler_type, optim, adam_beta2, seed },
      {
        per_device_train_batch_size: 8,
        num_train_epochs: 3,
        max_steps: -1,
        lr_scheduler_type: 'linear',
        optim: 'adamw',
        adam_beta2: 0.999,
        seed: 42
      }
    )
    assert.deepEqual(toPeftConfig(config.peft, 100), {
      peftType: 'LORA',
      r: 8,
      loraAlpha: 8,
      loraDropout: 0,
      bias: 'none',
      useRslora: false,
      initLoraWeights: true
    })
    assert.equal(parseTrainConfig({ ...needed, optim: 'lion' }).adam_beta2, 0.99)
  })

  test('reaches the trainer under the same names in camel case', () => {
    const text =
      'warmup_ratio: 0.1\noptim: sgd\noptim_args: { momentum: 0.9 }\nlr_scheduler_type: polynomial\nlr_scheduler_kwargs: { lr_end: 1e-4 }\nmetric_for_best_model: eval_accuracy\n'
    const options = toTrainOptions(parseText(text))
    const { warmupRatio, optim, optimArgs, lrSchedulerType, lrSchedulerKwargs, metricForBestModel } = options
    assert.deepEqual(
      { warmupRatio, optim, optimArgs, lrSchedulerType, lrSchedulerKwargs, metricForBestModel },
      {
        warmupRatio: 0.1,
        optim: 'sgd',
        optimArgs: { momentum: 0.9 },
        lrSchedulerType: 'polynomial',
        lrSchedulerKwargs: { lrEnd: 1e-4 },
        metricForBestModel: 'accuracy'
      }
    )
  })

  test('gives AdaLoRA the steps of the run, unless it says otherwise', () => {
    const { peft } = parseText('peft: { peft_type: ADALORA }')
    assert.equal((toPeftConfig(peft, 77) as { totalStep: number }).totalStep, 77)
    const told = parseText('peft: { peft_type: ADALORA, total_step: 5 }')
    assert.equal((toPeftConfig(told.peft, 77) as { totalStep: number }).totalStep, 5)
  })

  test('frozen as YAML and read again is the same', () => {
    const config = parseText(
      'peft: { peft_type: PROMPT_TUNING, num_virtual_tokens: 4 }\nvalidation_split: 0.2\nadam_epsilon: 1e-8\n'
    )
    assert.deepEqual(parseTrainConfig(readConfigYaml(writeConfigYaml(config), 'config.yaml').values), config)
  })

  test('that is wrong is refused, with line, key, and the key that is nearest', () => {
    const wrong: [string, RegExp][] = [
      ['seed: 1\nlearning_rte: 3', /run\.yaml:2: unknown key 'learning_rte' \(did you mean learning_rate\?\)/],
      ['maxSteps: 3', /'maxSteps' \(did you mean max_steps\?\)/],
      [
        'peft:\n  peft_type: LORA\n  lora_alfa: 3',
        /run\.yaml:3: unknown key 'peft\.lora_alfa' \(did you mean lora_alpha\?\)/
      ],
      ['optim_args:\n  momentun: 0.9', /run\.yaml:2: unknown key 'optim_args\.momentun' \(did you mean momentum\?\)/],
      ['peft: { peft_type: LORRA }', /run\.yaml:1: peft\.peft_type: .*'LORA'/],
      ['peft: { peft_type: PROMPT_TUNING }', /peft\.num_virtual_tokens: is needed/],
      ['\n\nmax_steps: ten', /run\.yaml:3: max_steps: expected a number, found "ten"$/],
      ['optim: adam', /run\.yaml:1: optim: .*"adamw"/],
      ['max_steps: 0', /max_steps: expected a number above 0, or -1/],
      ['lr_scheduler_type: constant\nwarmup_steps: 3', /'constant' has no warm-up: take constant_with_warmup/],
      ['load_best_model_at_end: true', /load_best_model_at_end: needs a validation_file or a validation_split/],
      ['seed: 1\n: : :', /run\.yaml:2: not YAML/],
      ['- seed', /run\.yaml: expected keys and values/]
    ]
    for (const [text, message] of wrong) assert.throws(() => parseText(text), { code: 'INVALID_ARGUMENT', message })
    assert.throws(() => parseTrainConfig({}), {
      message: /model: is needed; train_file: is needed; output_dir: is needed/
    })
  })
})

suite('names', () => {
  test('a key with one letter changed is recognized as one that is a letter away', () => {
    const keys = Object.keys(trainConfigSchema.shape)
    fc.assert(
      fc.property(fc.constantFrom(...keys), fc.nat(), fc.constantFrom('q', 'z', ''), (key, place, letter) => {
        const at = place % key.length
        const misspelt = key.slice(0, at) + letter + key.slice(at + 1)
        assert.ok(editDistance(misspelt, nearestName(misspelt, keys)!) <= 1, misspelt)
      })
    )
    assert.equal(nearestName('learningRate', keys), 'learning_rate')
    assert.equal(nearestName('warmup-ratio', keys), 'warmup_ratio')
  })

  test('the distance of two texts is a metric', () => {
    const text = fc.string({ maxLength: 8 })
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        assert.equal(editDistance(a, b), editDistance(b, a))
        assert.equal(editDistance(a, b) === 0, a === b)
        assert.ok(editDistance(a, c) <= editDistance(a, b) + editDistance(b, c))
      })
    )
    assert.equal(editDistance('kitten', 'sitting'), 3)
  })

  test('go to camel case and back', () => {
    for (const key of Object.keys(trainConfigSchema.shape)) assert.equal(snakeCase(camelCase(key)), key)
  })
})

test('docs/train.schema.json is that of the code (node scripts/train-schema.ts)', () => {
  assert.equal(readFileSync(join(import.meta.dirname, '../../../docs/train.schema.json'), 'utf8'), trainSchemaText())
})

suite('a configuration of a stranger', () => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => readConfigYaml(text, 'run.yaml'), { code: 'INVALID_ARGUMENT', message })

  test('that is too large, nests too deep, repeats itself or a key is refused on one line', () => {
    refused('#'.repeat(300_000), /^run\.yaml: expected a configuration of at most 262144 characters, found 300000$/)
    refused(`model: ${'['.repeat(6000)}${']'.repeat(6000)}`, /^run\.yaml:1: not YAML: .*$/)
    refused('model: a\nmax_steps: 1\nmodel: b\n', /^run\.yaml:3: not YAML: Map keys must be unique$/)
    refused('peft: { r: 1, r: 2 }\n', /^run\.yaml:1: not YAML: Map keys must be unique$/)
    const laughs = Array.from(
      { length: 12 },
      (_, index) => `a${index}: &a${index} [${Array(9).fill(index === 0 ? 'lol' : `*a${index - 1}`)}]`
    )
    refused(laughs.join('\n'), /^run\.yaml: cannot be read \(Excessive alias count.*\)$/)
  })

  test('with many keys is read in time that grows with their number', () => {
    const text = Array.from({ length: 4000 }, (_, index) => `k${index}: 1`).join('\n')
    const before = process.cpuUsage()
    assert.equal(Object.keys(readConfigYaml(text, 'run.yaml').values).length, 4000)
    const { user } = process.cpuUsage(before)
    assert.ok(user < 2e6, `${user} microseconds`)
  })
})
