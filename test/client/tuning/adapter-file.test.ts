// Adapters as files: PEFT's are read, ours are PEFT's field by field (scripts/reference/adapters.py), bad ones are refused.
import assert from 'node:assert/strict'
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, suite, type TestContext, test } from 'node:test'
import { createTuning, loadAdapter, saveAdapter, type TuningTarget } from '../../../client/tuning/index.ts'
import type { ErrorCode } from '../../../common/errors.ts'
import { float32, tensor } from '../../../common/tensor.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../model/formats/safetensors/encoding.ts'
import { referencePath, temporaryFolder, tuningTarget } from '../../../testing/references.ts'
import { adapters, baseOf } from '../../../testing/tuning-runs.ts'

const baseModel = 'test/reference/adapters/base'

/** As PEFT writes sets: in no order. */
const isSet = (field: string): boolean => /^(target|exclude|feedforward)_modules$/.test(field)

/** A configuration whose sets can be compared. */
function comparable(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, isSet(key) && Array.isArray(value) ? new Set(value) : value])
  )
}
const tensorsName = 'adapter_model.safetensors'

async function readConfig(folder: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'))
}

async function readTensors(folder: string) {
  return decodeSafetensors(await readFile(join(folder, tensorsName)), folder)
}

suite('adapter files', () => {
  let target: TuningTarget
  before(async () => {
    target = await tuningTarget(await openCheckpoint(referencePath('adapters/base')))
  })

  /** A copy of PEFT's adapter that the test may spoil. */
  async function copy(context: TestContext, name: string): Promise<string> {
    const folder = join(await temporaryFolder(context), name)
    await cp(referencePath('adapters', name), folder, { recursive: true })
    return folder
  }

  async function edit(folder: string, fields: Record<string, unknown>): Promise<void> {
    await writeFile(join(folder, 'adapter_config.json'), JSON.stringify({ ...(await readConfig(folder)), ...fields }))
  }

  for (const name of adapters) {
    test(`'${name}' of PEFT is loaded, and saved again it is the same`, async context => {
      const original = referencePath('adapters', name)
      const path = referencePath(baseOf(name))
      const method = await loadAdapter(original, await tuningTarget(await openCheckpoint(path)))
      const folder = join(await temporaryFolder(context), 'a', 'b')
      await saveAdapter(method, folder, { baseModel: `test/reference/${baseOf(name)}` })

      const [theirs, ours] = [await readTensors(original), await readTensors(folder)]
      assert.deepEqual(ours.metadata, theirs.metadata)
      assert.deepEqual(ours.tensors, theirs.tensors)

      assert.deepEqual(comparable(await readConfig(folder)), comparable(await readConfig(original)))
      assert.deepEqual(Object.keys(await readConfig(folder)), Object.keys(await readConfig(original)))
    })
  }

  test('all-linear is written as names', async context => {
    const folder = await temporaryFolder(context)
    const method = await createTuning({ peftType: 'LORA', r: 2, loraAlpha: 4, targetModules: 'all-linear' }, target)
    await saveAdapter(method, folder, { baseModel })
    const { target_modules: names } = await readConfig(folder)
    const { target_modules: expected } = await readConfig(referencePath('adapters/lora-all-linear'))
    assert.deepEqual((names as string[]).sort(), (expected as string[]).sort())
  })

  test('a text to start from is kept, beside the tokenizer that PEFT asks for', async context => {
    const folder = await temporaryFolder(context)
    const config = {
      peftType: 'PROMPT_TUNING',
      numVirtualTokens: 3,
      promptTuningInit: 'TEXT',
      promptTuningInitText: 'abc'
    } as const
    const method = await createTuning(config, { ...target, tokenizer: { encode: () => [5, 6] } })
    await saveAdapter(method, folder, { baseModel })
    const fields = await readConfig(folder)
    assert.equal(fields.prompt_tuning_init_text, 'abc')
    assert.equal(fields.tokenizer_name_or_path, baseModel)
    const loaded = await loadAdapter(folder, target)
    assert.deepEqual(loaded.config, method.config)
    assert.deepEqual(loaded.parameters[0]!.data, method.parameters[0]!.data)
  })

  test('is trainable only when asked for, as in PEFT', async () => {
    const folder = referencePath('adapters/lora')
    const [frozen, trainable] = [
      await loadAdapter(folder, target),
      await loadAdapter(folder, target, { isTrainable: true })
    ]
    assert.ok(frozen.parameters.every(({ requiresGrad }) => !requiresGrad))
    assert.ok(trainable.parameters.every(({ requiresGrad }) => requiresGrad))
    const ones = Object.fromEntries(
      Object.entries(frozen.ports()).map(([name, { shape, data }]) => [
        name,
        float32(
          shape,
          data.map(() => 1)
        )
      ])
    )
    frozen.accumulatePorts(ones)
    assert.ok(frozen.parameters.every(({ grad }) => grad === null))
  })

  test('tensors in bfloat16 are read as float32', async context => {
    const folder = await copy(context, 'prompt')
    const bits = new Uint16Array(5 * 32).fill(0x3fc0)
    await writeFile(
      join(folder, tensorsName),
      encodeSafetensors({ prompt_embeddings: tensor('bfloat16', [5, 32], bits) })
    )
    const { parameters } = await loadAdapter(folder, target)
    assert.deepEqual(parameters[0]!.data, new Float32Array(160).fill(1.5))
  })

  test("names of modules that the model has not are passed over in PEFT's files", async context => {
    const folder = await copy(context, 'lora')
    await edit(folder, { target_modules: ['q_proj', 'mlp.down_proj', 'c_attn'] })
    assert.equal((await loadAdapter(folder, target)).parameters.length, 12)
  })

  test('variants of LoRA that we do not do are refused by name', async context => {
    const variants: [field: string, value: unknown, fault: string][] = [
      ['layer_replication', [[0, 2]], 'expected null (servers hold each block of the model once)'],
      ['use_qalora', true, 'expected false (pooling of inputs in groups is no port of servers)'],
      ['arrow_config', { top_k: 2 }, 'expected null (routing among adapters by token is no port of servers)'],
      ['alora_invocation_tokens', [1, 2], 'expected null (ports act on whole sequences, not from an invocation on)'],
      ['use_bdlora', true, 'expected null (this variant of LORA is not supported)'],
      ['velora_config', { num_groups: 4 }, 'expected null (this variant of LORA is not supported)'],
      ['enable_lora', [true, false], 'expected null (this variant of LORA is not supported)'],
      [
        'init_lora_weights',
        'new',
        "expected true, false, 'gaussian', 'orthogonal', 'eva', 'mica', 'pissa', 'olora', 'loftq'"
      ]
    ]
    for (const [field, value, fault] of variants) {
      const folder = await copy(context, 'lora')
      await edit(folder, { [field]: value })
      await assert.rejects(loadAdapter(folder, target), {
        code: 'UNSUPPORTED',
        message: `${join(folder, 'adapter_config.json')}: ${field}: found ${JSON.stringify(value)}, ${fault}`
      })
    }
  })

  test('adapters of experts are refused with what to do where the model has none', async context => {
    const folder = await copy(context, 'lora')
    await edit(folder, { target_parameters: ['gate_up_proj', 'down_proj'] })
    await assert.rejects(loadAdapter(folder, target), {
      code: 'UNSUPPORTED',
      message:
        /no parameter is called 'gate_up_proj', 'down_proj' \(this model has none: name linear modules in targetModules\)/
    })
  })

  test('adapters that began otherwise are plain LoRA, but where the weights under them were changed', async context => {
    const plain = await loadAdapter(referencePath('adapters', 'lora'), target)
    for (const init of ['eva', 'orthogonal', 'mica']) {
      const folder = await copy(context, 'lora')
      await edit(folder, { init_lora_weights: init, eva_config: init === 'eva' ? { rho: 2 } : null })
      const method = await loadAdapter(folder, target)
      assert.deepEqual(
        method.parameters.map(({ data }) => data),
        plain.parameters.map(({ data }) => data)
      )
      await saveAdapter(method, folder, { baseModel: 'base' })
      assert.equal((await readConfig(folder)).init_lora_weights, init)
      const trained = await loadAdapter(folder, target, { isTrainable: true })
      const left = trained.parameters.filter(({ requiresGrad }) => !requiresGrad).map(({ name }) => name)
      // MiCA trains A alone
      const frozen = plain.parameters.map(({ name }) => name).filter(name => name.includes('lora_B'))
      assert.deepEqual(left, init === 'mica' ? frozen : [])
    }
    for (const init of ['pissa_niter_16', 'corda', 'loftq', 'lora_ga']) {
      const folder = await copy(context, 'lora')
      await edit(folder, { init_lora_weights: init })
      await assert.rejects(loadAdapter(folder, target), {
        code: 'UNSUPPORTED',
        message:
          /init_lora_weights = '.*' changed the weights under the adapter, .*, .*path_initial_model_for_weight_conversion/
      })
    }
  })

  test('sizes that no memory holds are refused by name', async context => {
    const cases: [name: string, fields: Record<string, unknown>][] = [
      ['lora', { r: 1e14 }],
      ['lora', { rank_pattern: { q_proj: 1e15 } }],
      ['prompt', { num_virtual_tokens: 1e14 }],
      ['p-tuning', { num_virtual_tokens: 1e14 }],
      ['prefix', { num_virtual_tokens: 1e14 }],
      ['adalora', { init_r: 1e14, rank_pattern: null }]
    ]
    for (const [name, fields] of cases) {
      const folder = await copy(context, name)
      await edit(folder, fields)
      await assert.rejects(loadAdapter(folder, target), {
        code: 'INVALID_ARGUMENT',
        message: /^parameter \S+ \[[\d,]+\]: not enough memory for \d+ numbers/
      })
    }
  })

  const faults: [string, ErrorCode, RegExp, (folder: string) => Promise<void>][] = [
    [
      'no configuration',
      'NOT_FOUND',
      /adapter_config.json: no such file; expected the folder of an adapter/,
      f => rm(join(f, 'adapter_config.json'))
    ],
    ['no tensors', 'NOT_FOUND', /adapter_model.safetensors: no such file/, f => rm(join(f, tensorsName))],
    [
      'tensors as a pickle',
      'UNSUPPORTED',
      /only adapter_model.bin/,
      f => rename(join(f, tensorsName), join(f, 'adapter_model.bin'))
    ],
    [
      'a configuration that is not JSON',
      'BAD_CHECKPOINT',
      /not JSON \(.+\)/,
      f => writeFile(join(f, 'adapter_config.json'), '{')
    ],
    ['another method', 'UNSUPPORTED', /"HRA"/, f => edit(f, { peft_type: 'HRA' })],
    ['a rank of text', 'BAD_CHECKPOINT', /adapter_config.json: r: /, f => edit(f, { r: 'four' })],
    ['another rank', 'BAD_CHECKPOINT', /lora_A.weight': expected \[5,32\], found \[4,32\]/, f => edit(f, { r: 5 })],
    [
      'a missing tensor',
      'BAD_CHECKPOINT',
      /up_proj.*is missing/,
      f => edit(f, { target_modules: ['q_proj', 'up_proj'] })
    ],
    [
      'a tensor too many',
      'BAD_CHECKPOINT',
      /down_proj.*matches no module/,
      f => edit(f, { target_modules: ['q_proj'] })
    ],
    [
      'truncated tensors',
      'BAD_CHECKPOINT',
      /incomplete download/,
      async f => writeFile(join(f, tensorsName), (await readFile(join(f, tensorsName))).subarray(0, -4))
    ]
  ]
  for (const [name, code, message, spoil] of faults) {
    test(`${name}: ${code}`, async context => {
      const folder = await copy(context, 'lora')
      await spoil(folder)
      await assert.rejects(loadAdapter(folder, target), { code, message })
    })
  }
})
