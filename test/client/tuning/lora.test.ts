// LoRA: which modules, which first values, what leaves through the ports and what comes back.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createTuning, type LoraConfig } from '../../../client/tuning/index.ts'
import { float32 } from '../../../common/tensor.ts'
import { assertClose } from '../../../testing/references.ts'
import { target } from './target.ts'

function create(config: Omit<LoraConfig, 'peftType'>, seed = 1) {
  return createTuning({ peftType: 'LORA', ...config }, target, { seed })
}

/** `0.self_attn.q_proj` for every module that has an adapter. */
async function chosen(config: Omit<LoraConfig, 'peftType'>): Promise<string[]> {
  const { parameters } = await create(config)
  return parameters
    .filter(({ name }) => name.endsWith('.lora_A.weight'))
    .map(({ name }) => name.replace('base_model.model.model.layers.', '').replace('.lora_A.weight', ''))
}

suite('targetModules', () => {
  test('names, ends of names and whole names are found as PEFT finds them', async () => {
    const blocks = Array.from({ length: 12 }, (_, block) => block)
    assert.deepEqual(
      await chosen({}),
      blocks.flatMap(block => [`${block}.self_attn.q_proj`, `${block}.self_attn.v_proj`]),
      'q_proj and v_proj unless told otherwise'
    )
    assert.deepEqual(
      await chosen({ targetModules: ['mlp.down_proj'] }),
      blocks.map(block => `${block}.mlp.down_proj`)
    )
    assert.deepEqual(await chosen({ targetModules: ['model.layers.1.mlp.up_proj'] }), ['1.mlp.up_proj'])
    assert.deepEqual(await chosen({ targetModules: ['layers.1.mlp.up_proj'] }), ['1.mlp.up_proj'])
    assert.deepEqual(await chosen({ targetModules: String.raw`model\.layers\.(3|11)\.self_attn\.[qk]_proj` }), [
      '3.self_attn.q_proj',
      '11.self_attn.q_proj'
    ])
    assert.equal((await chosen({ targetModules: 'all-linear' })).length, 12 * 4)
  })

  test('layersToTransform chooses blocks', async () => {
    assert.deepEqual(await chosen({ targetModules: ['q_proj'], layersToTransform: [11, 0] }), [
      '0.self_attn.q_proj',
      '11.self_attn.q_proj'
    ])
    assert.deepEqual(await chosen({ targetModules: ['q_proj'], layersToTransform: 4 }), ['4.self_attn.q_proj'])
  })

  test('layersPattern names the list of blocks, excludeModules what stays as it is', async () => {
    const few = { targetModules: ['q_proj', 'v_proj'], layersToTransform: [2, 3] }
    assert.deepEqual(await chosen({ ...few, layersPattern: 'layers', excludeModules: ['layers.3.self_attn.q_proj'] }), [
      '2.self_attn.q_proj',
      '2.self_attn.v_proj',
      '3.self_attn.v_proj'
    ])
    assert.deepEqual(await chosen({ ...few, excludeModules: '.*[.]2[.].*|.*v_proj' }), ['3.self_attn.q_proj'])
    for (const more of [{ layersPattern: ['h', 'blocks'] }, { excludeModules: 'all-linear' }]) {
      await assert.rejects(create({ ...few, ...more }), {
        code: 'INVALID_ARGUMENT',
        message: /leave none of the modules; a block has self_attn.q_proj/
      })
    }
  })

  test('rankPattern and alphaPattern give modules a rank and a scaling of their own', async () => {
    const method = await create({
      r: 4,
      targetModules: ['q_proj', 'v_proj'],
      layersToTransform: 1,
      rankPattern: { v_proj: 2, 'layers.7.self_attn.q_proj': 9 },
      alphaPattern: { 'self_attn.q_proj': 20 }
    })
    assert.deepEqual(
      method.parameters.map(({ shape }) => shape),
      [
        [4, 64],
        [64, 4],
        [2, 64],
        [16, 2]
      ]
    )
    for (const { data } of method.parameters) data.fill(1)
    const ports = method.ports()
    assert.equal(ports['blocks.1.lora.self_attn.q_proj.B']!.data[0], 20 / 4)
    assert.equal(ports['blocks.1.lora.self_attn.v_proj.B']!.data[0], 8 / 2)
  })

  test('a target that matches nothing is answered with the names there are', async () => {
    const message =
      "targetModules: no module matches 'wq', 'proj'; a block has self_attn.q_proj, self_attn.v_proj, mlp.up_proj, " +
      'mlp.down_proj (in full: model.layers.0.self_attn.q_proj)'
    await assert.rejects(create({ targetModules: ['wq', 'q_proj', 'proj'] }), { code: 'INVALID_ARGUMENT', message })
    for (const targetModules of ['q_proj', 'model.layers.0']) {
      await assert.rejects(create({ targetModules }), {
        code: 'INVALID_ARGUMENT',
        message: /whole names|no module matches/
      })
    }
  })
})

suite('the configuration of LoRA', () => {
  test('faults are named, all of them', async () => {
    const wrong: [object, RegExp][] = [
      [{ r: 0, loraDropout: 1 }, /^LORA configuration: r: .*; loraDropout: /],
      [{ lora_alpha: 4 }, /"lora_alpha"/],
      [{ bias: 'some' }, /bias/],
      [
        { initLoraWeights: 'pisa' },
        /initLoraWeights: "pisa" is not supported \(supported: true, false, 'gaussian', 'orthogonal', 'pissa', /
      ],
      [{ initLoraWeights: 'corda' }, /initLoraWeights: "corda" is not supported/],
      [{ initLoraWeights: 'loftq' }, /'loftq' needs loftqConfig: { loftqBits: 4 or 8 }/],
      [{ loftqConfig: { loftqBits: 4 } }, /loftqConfig needs initLoraWeights 'loftq'/],
      [{ initLoraWeights: 'loftq', loftqConfig: { loftqIter: 2 } }, /loftqConfig.loftqIter/],
      [{ useDora: true, loraBias: true }, /loraBias cannot be combined with useDora/],
      [
        { loraBias: true, initLoraWeights: 'gaussian' },
        /loraBias needs initLoraWeights true or false, found 'gaussian'/
      ],
      [{ useDora: true, targetParameters: ['x'] }, /useDora cannot be combined with targetParameters/],
      [{ layersPattern: 'layers' }, /layersPattern says which blocks layersToTransform counts/],
      [{ rankPattern: { '(': 2 } }, /rankPattern: '\(' is not a regular expression/],
      [{ targetModules: [] }, /targetModules/],
      [{ targetModules: '(' }, /'\(' is not a regular expression/],
      [{ targetModules: 'all-linear', layersToTransform: 1 }, /layersToTransform needs targetModules as a list/],
      [{ layersToTransform: [3, 12, 40] }, /expected blocks 0..11, found 12, 40/]
    ]
    for (const [config, message] of wrong) await assert.rejects(create(config), { code: 'INVALID_ARGUMENT', message })
    // @ts-expect-error no such method
    await assert.rejects(createTuning({ peftType: 'HRA' }, target), {
      code: 'UNSUPPORTED',
      message: /"HRA".*LORA, .*PROMPT_TUNING/
    })
  })

  test('defaults are those of PEFT', async () => {
    assert.deepEqual((await create({})).config, {
      peftType: 'LORA',
      r: 8,
      loraAlpha: 8,
      loraDropout: 0,
      targetModules: ['q_proj', 'v_proj'],
      bias: 'none',
      useRslora: false,
      initLoraWeights: true
    })
  })
})

suite('first values', () => {
  test('A is uniform within 1 / sqrt(in) and B zero', async () => {
    const { parameters } = await create({ r: 16, targetModules: 'all-linear' })
    for (const { name, shape, data } of parameters) {
      if (name.includes('lora_B')) {
        assert.ok(data.every(value => value === 0))
        continue
      }
      const bound = 1 / Math.sqrt(shape[1]!)
      assert.ok(data.every(value => Math.abs(value) <= bound))
      const variance = data.reduce((sum, value) => sum + value * value, 0) / data.length
      assert.ok(Math.abs(variance / ((bound * bound) / 3) - 1) < 0.2, `${name}: ${variance}`)
    }
  })

  test("'gaussian' has A normal with deviation 1 / r; false has B uniform within 1 / sqrt(r)", async () => {
    const gaussian = await create({ r: 4, initLoraWeights: 'gaussian', targetModules: ['q_proj'] })
    const values = gaussian.parameters.filter(({ name }) => name.includes('lora_A')).flatMap(({ data }) => [...data])
    const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length
    assert.ok(Math.abs(variance * 16 - 1) < 0.1)
    assert.ok(values.some(value => Math.abs(value) > 2 / 4))

    const uniform = await create({ r: 4, initLoraWeights: false, targetModules: ['q_proj'] })
    const b = uniform.parameters.filter(({ name }) => name.includes('lora_B')).flatMap(({ data }) => [...data])
    assert.ok(b.every(value => Math.abs(value) <= 1 / 2) && b.some(value => Math.abs(value) > 0.45))
  })

  test("'orthogonal' has A and B over halves of an orthogonal basis: their product is zero, as of PEFT's", async () => {
    const made = await create({ r: 6, initLoraWeights: 'orthogonal', targetModules: ['q_proj', 'down_proj'] })
    for (let at = 0; at < 4; at += 2) {
      const [a, b] = [made.parameters[at]!, made.parameters[at + 1]!]
      const [rank, inputs] = a.shape as [number, number]
      const products = Array.from({ length: b.shape[0]! * inputs }, (_, place) => {
        const [out, from] = [Math.floor(place / inputs), place % inputs]
        return Array.from({ length: rank }, (_, r) => b.data[out * rank + r]! * a.data[r * inputs + from]!)
      })
      const largest = Math.max(...products.map(terms => Math.abs(terms.reduce((sum, term) => sum + term, 0))))
      assert.ok(largest < 1e-7, `${a.name} ${largest}`)
    }
    // half of the squares of normal numbers, by 1/100
    for (const part of ['lora_A', 'lora_B']) {
      const values = made.parameters.filter(({ name }) => name.includes(part)).flatMap(({ data }) => [...data])
      const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length
      assert.ok(Math.abs(variance / 0.005 - 1) < 0.1, `${part} ${variance}`)
    }
    const odd = create({ r: 3, initLoraWeights: 'orthogonal', targetModules: ['q_proj'] })
    await assert.rejects(odd, { code: 'INVALID_ARGUMENT', message: /needs an even rank, found 3 \(model\.layers\.0/ })
    await assert.rejects(create({ initLoraWeights: 'eva' }), {
      code: 'UNSUPPORTED',
      message: /'eva' needs the inputs of the modules/
    })
  })

  test('come from the seed, module by module', async () => {
    const [one, again, other] = [await create({}), await create({}), await create({}, 2)]
    assert.deepEqual(one.parameters, again.parameters)
    assert.notDeepEqual(one.parameters[0]!.data, other.parameters[0]!.data)
    assert.notDeepEqual(one.parameters[0]!.data, one.parameters[4]!.data)
    const more = await create({ targetModules: 'all-linear' })
    const { name, data } = one.parameters[2]!
    assert.deepEqual(more.parameters.find(parameter => parameter.name === name)!.data, data)
  })
})

suite('ports of LoRA', () => {
  test('B leaves with the scaling on it, and its gradient comes back with it', async () => {
    for (const [useRslora, scaling] of [
      [false, 10 / 4],
      [true, 10 / 2]
    ] as const) {
      const method = await create({ r: 4, loraAlpha: 10, useRslora, targetModules: ['v_proj'], layersToTransform: [7] })
      const [a, b] = method.parameters
      b!.data.fill(2)
      const ports = method.ports()
      assert.deepEqual(Object.keys(ports), ['blocks.7.lora.self_attn.v_proj.A', 'blocks.7.lora.self_attn.v_proj.B'])
      assert.deepEqual(ports['blocks.7.lora.self_attn.v_proj.A'], { dtype: 'float32', shape: [4, 64], data: a!.data })
      assert.deepEqual(ports['blocks.7.lora.self_attn.v_proj.B']!.shape, [16, 4])
      assertClose(ports['blocks.7.lora.self_attn.v_proj.B']!.data, new Float32Array(64).fill(2 * scaling), 1e-7, 'B')
      const gradients = {
        'blocks.7.lora.self_attn.v_proj.A': float32([4, 64], new Float32Array(256).fill(3)),
        'blocks.7.lora.self_attn.v_proj.B': float32([16, 4], new Float32Array(64).fill(5)),
        'blocks.7.prompt': float32([1], [1])
      }
      method.accumulatePorts(gradients)
      method.accumulatePorts(gradients)
      assertClose(a!.grad!, new Float32Array(256).fill(6), 1e-7, 'gradient of A')
      assertClose(b!.grad!, new Float32Array(64).fill(10 * scaling), 1e-7, 'gradient of B')
    }
  })

  test('has no virtual tokens, and says its dropout', async () => {
    const method = await create({ loraDropout: 0.25 })
    assert.equal(method.dropout, 0.25)
    assert.equal(method.virtualTokens, 0)
    assert.equal(method.promptEmbeddings(), null)
  })
})
