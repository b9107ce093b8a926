// Several adapters over one model, as PEFT has them: switched, combined, a row each of a batch (scripts/reference/lora_relatives.py).
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  type DistributedModelForCausalLM,
  getPeftModel,
  PeftModel,
  type PeftModelForCausalLM
} from '../../../../client/index.ts'
import type { CombinationOptions } from '../../../../client/tuning/index.ts'
import type { Float32Tensor, Tensor } from '../../../../common/tensor.ts'
import { decodeSafetensors } from '../../../../model/formats/safetensors/encoding.ts'
import { assertClose, referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'
import { readReferences } from './follow-run.ts'

const folderOf = (name: string): string => referencePath('lora-relatives', `combined-${name}`)

const ways: readonly (readonly [
  name: string,
  adapters: string,
  weights: readonly number[],
  options: CombinationOptions
])[] = [
  ['linear', 'one two', [0.7, -0.4], { combinationType: 'linear' }],
  ['cat', 'one two three', [0.7, -0.4, 1.5], { combinationType: 'cat' }],
  ['svd', 'one three', [0.7, 0.4], {}],
  ['svd-rank', 'one two', [0.7, 0.4], { combinationType: 'svd', svdRank: 3 }],
  ['ties', 'one two', [0.7, 0.4], { combinationType: 'ties', density: 0.5 }],
  ['ties-frequency', 'one two', [0.7, 0.4], { combinationType: 'ties', density: 0.7, majoritySignMethod: 'frequency' }],
  ['ties_svd', 'one three', [0.7, 0.4], { combinationType: 'ties_svd', density: 0.6 }],
  ['magnitude_prune', 'one two', [0.7, 0.4], { combinationType: 'magnitude_prune', density: 0.3 }],
  ['magnitude_prune_svd', 'one two', [0.7, 0.4], { combinationType: 'magnitude_prune_svd', density: 0.3 }],
  ['dare_linear', 'one two', [0.7, 0.4], { combinationType: 'dare_linear', density: 1 }],
  ['single', 'two', [0.5], {}]
]

/** B A of each module, by the module's name. */
function products(tensors: Readonly<Record<string, Tensor>>): Record<string, number[]> {
  const out: Record<string, number[]> = {}
  for (const [name, a] of Object.entries(tensors)) {
    if (!name.endsWith('lora_A.weight')) continue
    const b = tensors[name.replace('lora_A', 'lora_B')]!
    const [[rank, columns], rows] = [a.shape as [number, number], b.shape[0]!]
    out[name] = Array.from({ length: rows * columns }, (_, index) => {
      const [row, column] = [Math.floor(index / columns), index % columns]
      let sum = 0
      for (let k = 0; k < rank; k++) sum += Number(b.data[row * rank + k]) * Number(a.data[k * columns + column])
      return sum
    })
  }
  return out
}

describe('several adapters', () => {
  let swarm: TestSwarm
  let base: DistributedModelForCausalLM
  const expected = readReferences('lora-relatives', 'combined.safetensors')
  const inputIds = expected.ids as Tensor<'int64'>
  before(async () => {
    swarm = await startSwarm([[0, 3]], { path: referencePath('adapters/base') })
    base = await swarm.connect()
  })
  after(async () => {
    await base.close()
    await swarm[Symbol.asyncDispose]()
  })

  /** The adapters of the script under their names, and none other. */
  async function open(): Promise<PeftModelForCausalLM> {
    const model = await PeftModel.fromPretrained(base, folderOf('one'))
    for (const name of ['one', 'two', 'three']) await model.loadAdapter(folderOf(name), name)
    model.setAdapter('one', { inferenceMode: true })
    await model.deleteAdapter('default')
    return model.eval()
  }

  test('act one at a time, and are trained one at a time', async () => {
    const model = await PeftModel.fromPretrained(base, folderOf('one'))
    const of = async () => (await model.forward({ inputIds })).logits.data
    const one = await of()
    await model.loadAdapter(folderOf('two'), 'two')
    assert.deepEqual(model.adapters, ['default', 'two'])
    assert.deepEqual(await of(), one, 'a new adapter does not act')
    model.setAdapter('two')
    assert.equal(model.activeAdapter, 'two')
    const two = await of()
    assert.notDeepEqual(two, one)
    assert.ok(model.parameters().every(({ requiresGrad }) => requiresGrad))
    const alone = await PeftModel.fromPretrained(base, folderOf('two'))
    assert.deepEqual((await alone.forward({ inputIds })).logits.data, two)
    await alone.unload()
    await model.addAdapter('new', { peftType: 'IA3' }, { seed: 3 })
    model.setAdapter('new')
    assert.equal((model.peftConfig as { peftType: string }).peftType, 'IA3')
    model.setAdapter('default', { inferenceMode: true })
    assert.ok(model.parameters().every(({ requiresGrad }) => !requiresGrad))
    assert.deepEqual(await of(), one)
    await model.deleteAdapter('default')
    assert.equal(model.activeAdapter, 'two')
    assert.deepEqual(await of(), two)
    await model.deleteAdapter('two')
    await assert.rejects(model.deleteAdapter('new'), {
      code: 'INVALID_ARGUMENT',
      message: /the only adapter: use unload/
    })
    const plain = await model.disableAdapter(of)
    assert.deepEqual(plain, (await base.forward({ inputIds })).logits.data)
    await model.unload()
  })

  test('are saved as PEFT saves them: each but the default in a folder of its name', async context => {
    const model = await open()
    await model.addWeightedAdapter('sum', { adapters: ['one', 'two'], weights: [0.7, 0.4], combinationType: 'cat' })
    model.setAdapter('sum', { inferenceMode: true })
    const { logits } = await model.forward({ inputIds })
    const folder = await temporaryFolder(context)
    await model.savePretrained(folder)
    await assert.rejects(access(join(folder, 'adapter_config.json')))
    const again = await PeftModel.fromPretrained(base, join(folder, 'sum'))
    assert.deepEqual((await again.forward({ inputIds })).logits.data, logits.data)
    const file = join(folder, 'two', 'adapter_model.safetensors')
    const source = join(folderOf('two'), 'adapter_model.safetensors')
    const [found, peft] = [file, source].map(path => decodeSafetensors(readFileSync(path), path).tensors)
    assert.deepEqual(found, peft)
    await again.unload()
    await model.unload()
  })

  for (const [way, adapters, weights, options] of ways) {
    test(`'${way}' combines them as PEFT does`, async context => {
      const model = await open()
      await model.addWeightedAdapter('sum', { adapters: adapters.split(' '), weights, ...options })
      const folder = await temporaryFolder(context)
      await model.savePretrained(folder)
      const path = join(folder, 'sum', 'adapter_model.safetensors')
      const { tensors } = decodeSafetensors(readFileSync(path), path)
      const reference = Object.fromEntries(
        Object.entries(expected).flatMap(([name, tensor]) =>
          name.startsWith(`${way}.`) ? [[name.slice(way.length + 1), tensor] as const] : []
        )
      )
      assert.deepEqual(Object.keys(tensors).sort(), Object.keys(reference).sort())
      for (const [name, { shape }] of Object.entries(reference)) assert.deepEqual(tensors[name]!.shape, shape, name)
      // signs of singular vectors mean nothing
      const [ours, peft] = /svd/.test(way)
        ? [products(tensors), products(reference)]
        : [tensors, reference].map(all =>
            Object.fromEntries(Object.entries(all).map(([name, { data }]) => [name, [...data].map(Number)]))
          )
      for (const [name, values] of Object.entries(peft!)) assertClose(ours![name]!, values, 2e-5, name)
      await model.unload()
    })
  }

  test('svdClamp cuts off what lies beyond its quantile', async () => {
    const model = await open()
    const greatest: number[] = []
    for (const svdClamp of [1, 0.9]) {
      const name = `clamp${greatest.length}`
      await model.addWeightedAdapter(name, { adapters: ['one', 'two'], weights: [1, 1], svdClamp })
      model.setAdapter(name)
      const [a, b] = model.parameters()
      greatest.push(Math.max(...[...a!.data, ...b!.data].map(Math.abs)))
    }
    assert.ok(greatest[1]! < greatest[0]!)
    await model.unload()
  })

  test('dare drops at random, as the seed says, and makes up for it', async () => {
    const model = await open()
    const values: number[][] = []
    for (const [name, seed] of [
      ['a', 1],
      ['b', 1],
      ['c', 2]
    ] as const) {
      const dare = { combinationType: 'dare_ties', density: 0.5, seed } as const
      await model.addWeightedAdapter(name, { adapters: ['one', 'two'], weights: [1, 1], ...dare })
      model.setAdapter(name)
      values.push(model.parameters().flatMap(({ data }) => [...data]))
    }
    assert.deepEqual(values[0], values[1])
    assert.notDeepEqual(values[0], values[2])
    await model.unload()
  })

  test('rows of a batch go through adapters of their own', async () => {
    const model = await open()
    const adapterNames = ['two', '__base__', 'one', 'two', 'three']
    const { logits } = await model.forward({ inputIds }, { adapterNames })
    const peft = expected.mixed as Float32Tensor
    assert.deepEqual(logits.shape, peft.shape)
    assertClose(logits.data, peft.data, 1e-4, 'logits')
    const mean = async (names: readonly string[]) => {
      const { loss } = await model.forward({ inputIds, labels: inputIds }, { adapterNames: names })
      return loss.value
    }
    const whole = (await base.forward({ inputIds, labels: inputIds }, { training: false })).loss.value
    assertClose([await mean(Array(5).fill('__base__'))], [whole], 1e-6, 'loss')
    assert.notEqual(await mean(adapterNames), whole)

    const prompts = [[5, 9, 33, 12], [40, 3], [7, 8, 9], [11]]
    const names = ['two', '__base__', 'one', 'two']
    const options = { maxNewTokens: 5, eosTokenIds: [], padTokenId: 0 }
    const rows = await model.generate(prompts, { ...options, adapterNames: names })
    for (const [index, name] of names.entries()) {
      if (name !== '__base__') model.setAdapter(name, { inferenceMode: true })
      const [alone] = await (name === '__base__' ? base : model).generate([prompts[index]!], options)
      assert.deepEqual(rows[index]!.slice(4 - prompts[index]!.length), alone, `row ${index}`)
    }
    await model.unload()
  })

  test('are refused by name where they do not fit', async () => {
    const model = await open()
    const invalid = { code: 'INVALID_ARGUMENT' } as const
    for (const name of ['two', '__base__', 'a/b', '']) {
      await assert.rejects(model.addAdapter(name, { peftType: 'IA3' }), invalid)
    }
    assert.throws(() => model.setAdapter('four'), { ...invalid, message: /expected one of one, two, three/ })
    await assert.rejects(model.forward({ inputIds }, { adapterNames: ['one'] }), {
      ...invalid,
      message: /a name for each of 5 rows, found 1/
    })
    await assert.rejects(model.forward({ inputIds }, { adapterNames: Array(5).fill('four') }), invalid)
    await assert.rejects(model.forward({ inputIds }, { adapterNames: Array(5).fill('one'), training: true }), {
      ...invalid,
      message: /inference only/
    })
    const combine = (adapters: string[], weights: number[], options: CombinationOptions = {}) =>
      model.addWeightedAdapter('sum', { adapters, weights, ...options })
    await assert.rejects(combine(['one'], [1, 2]), { ...invalid, message: /a number for each of 1 adapters/ })
    await assert.rejects(combine(['one', 'three'], [1, 2], { combinationType: 'linear' }), {
      ...invalid,
      message: /adapters of one rank, found 4, 2 \(cat and svd take others\)/
    })
    await assert.rejects(combine(['one', 'two'], [1, 2], { combinationType: 'ties' }), {
      ...invalid,
      message: /density: ties needs a share/
    })
    await model.addAdapter('dora', { peftType: 'LORA', useDora: true })
    await assert.rejects(combine(['one', 'dora'], [1, 2]), {
      code: 'UNSUPPORTED',
      message: /'dora' cannot be combined/
    })
    await model.addAdapter('ia3', { peftType: 'IA3' })
    await assert.rejects(combine(['ia3'], [1]), { code: 'UNSUPPORTED', message: /it is of IA3/ })
    await model.unload()
    const plain = await getPeftModel(base, { peftType: 'LORA' })
    await plain.unload()
    await assert.rejects(plain.addAdapter('x', { peftType: 'IA3' }), invalid)
  })
})
