// Magnitudes of DoRA and changes of the weight itself, as ports: gradients, dropout, sessions. Values against PEFT are in
// test/client/train/trainer.test.ts.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRandom } from '../../../common/random.ts'
import { type Float32Tensor, float32, sizeOf, type Tensor } from '../../../common/tensor.ts'
import { type Checkpoint, openCheckpoint, readTensor } from '../../../model/checkpoint/checkpoint.ts'
import { portName } from '../../../model/layers/ports.ts'
import {
  decodeStep,
  emptyCaches,
  fullMask,
  inPlace,
  rotaryFeeds,
  runBackward,
  runSpan,
  type Tensors
} from '../spans.ts'
import { numbersOf, referencePath, relativeError, temporaryFolder } from '../support.ts'

const [batch, seq, rank] = [2, 5, 3]

function normal(shape: readonly number[], seed: number, scale = 1): Float32Tensor {
  const random = createRandom(seed)
  return float32(
    shape,
    Array.from({ length: sizeOf(shape) }, () => random.normal() * scale)
  )
}

function dot(a: Tensor, b: Tensor): number {
  const other = numbersOf(b)
  return numbersOf(a).reduce((sum, value, i) => sum + value * other[i]!, 0)
}

/** Every port of every linear module of block 1, and dropout masks. */
function feedsOf({ family, config }: Checkpoint) {
  const ports: Tensors = {}
  const masks: Tensors = {}
  for (const [index, { name, inFeatures, outFeatures }] of family.linearModules(config, 1).entries()) {
    ports[portName.lora(1, name, 'A')] = normal([rank, inFeatures], 10 * index, 0.2)
    ports[portName.lora(1, name, 'B')] = normal([outFeatures, rank], 10 * index + 1, 0.2)
    ports[portName.lora(1, name, 'magnitude')] = normal([outFeatures], 10 * index + 2)
    ports[portName.base(1, name, 'A')] = normal([2, inFeatures], 10 * index + 3, 0.2)
    ports[portName.base(1, name, 'B')] = normal([outFeatures, 2], 10 * index + 4, 0.2)
    const random = createRandom(index + 5)
    masks[portName.loraMask(1, name)] = float32(
      [batch, seq, inFeatures],
      Array.from({ length: batch * seq * inFeatures }, () => (random.uniform() < 0.3 ? 0 : 1 / 0.7))
    )
  }
  const hidden = normal([batch, seq, config.hiddenSize], 1)
  const grad = normal([batch, seq, config.hiddenSize], 2)
  return { ports, masks, hidden, grad }
}

/** The rows of W + base + B A of a module, [out, in], in double precision. */
async function changedWeight(checkpoint: Checkpoint, ports: Tensors, module: { name: string; transposed?: boolean }) {
  const { family, config } = checkpoint
  const path = family.moduleWeightName(config, 1, module.name)
  const { shape, data } = await readTensor(checkpoint, `${path}.weight`)
  const [rows, columns] = (module.transposed ? shape.toReversed() : shape) as [number, number]
  const weight = Array.from({ length: rows }, (_, row) =>
    Array.from(
      { length: columns },
      (_, column) => data[module.transposed ? column * rows + row : row * columns + column]!
    )
  )
  for (const kind of ['lora', 'base'] as const) {
    const [a, b] = [ports[portName[kind](1, module.name, 'A')]!, ports[portName[kind](1, module.name, 'B')]!]
    const width = a.shape[0]!
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let k = 0; k < width; k++) {
          weight[row]![column]! += Number(b.data[row * width + k]) * Number(a.data[k * columns + column])
        }
      }
    }
  }
  return weight
}

for (const model of ['grouped', 'families/gpt2', 'families/bloom-odd']) {
  describe(`magnitudes in '${model}'`, () => {
    const open = async (context: Parameters<typeof temporaryFolder>[0]) => {
      const checkpoint = await openCheckpoint(referencePath(model))
      const { ports, masks, hidden, grad } = feedsOf(checkpoint)
      const cacheDir = await temporaryFolder(context)
      const run = (graph: Parameters<typeof runSpan>[1], all: Tensors, outputs?: Tensors) =>
        runSpan(checkpoint, graph, all, cacheDir, outputs)
      const feeds = {
        hidden,
        mask: fullMask(batch, seq),
        'grad.hidden_out': grad,
        ...rotaryFeeds(checkpoint),
        ...ports,
        ...masks
      }
      return { ...checkpoint, checkpoint, ports, masks, feeds, run, blocks: { first: 1, end: 2 } }
    }

    test('gains are magnitudes over the norms of the changed rows', async context => {
      const { checkpoint, family, config, ports, blocks, run } = await open(context)
      const gains = await run(family.gainSpan(config, { blocks, ports: Object.keys(ports) })!, ports)
      assert.equal(family.gainSpan(config, { blocks, ports: [] }), null)
      for (const module of family.linearModules(config, 1)) {
        const weight = await changedWeight(checkpoint, ports, module)
        const name = portName.lora(1, module.name, 'magnitude')
        const magnitude = ports[name]!.data as Float32Array
        const expected = weight.map((row, index) => magnitude[index]! / Math.hypot(...row))
        const error = relativeError(gains[`gain.${name}`]!, float32([expected.length], expected))
        assert.ok(error < 1e-5, `${module.name}: relative error ${error}`)
      }
    })

    for (const dropout of [false, true]) {
      test(`gradients ${dropout ? 'with' : 'without'} dropout agree with finite differences, norms held fixed`, async context => {
        const { family, config, ports, feeds, blocks, run } = await open(context)
        const names = Object.keys(ports)
        const graph = family.forwardSpan(config, { blocks, ports: names, dropout })
        const wanted = ['hidden', ...names.filter(name => !name.includes('.base.'))]
        const gradients = await runBackward(graph, wanted, feeds, run)
        const again = await runBackward(graph, wanted, feeds, run, 'recompute')
        for (const name of wanted) assert.deepEqual(again[`grad.${name}`]!.data, gradients[`grad.${name}`]!.data, name)
        const gainGraph = family.gainSpan(config, { blocks, ports: names })!
        const before = await run(gainGraph, ports)
        const objective = async (moved: Tensors): Promise<number> => {
          // the norms are those of the ports as they were: magnitudes make up for the change
          const after = await run(gainGraph, { ...ports, ...moved })
          const held = Object.entries(after).map(([key, gain]) => {
            const name = key.slice('gain.'.length)
            const magnitude = (moved[name] ?? ports[name]!).data as Float32Array
            const own = before[key]!.data as Float32Array
            const start = ports[name]!.data as Float32Array
            // norms: start / own as it was, value / gain now
            const made = magnitude.map((value, i) => value * (value / (gain.data[i] as number)) * (own[i]! / start[i]!))
            return [name, float32(ports[name]!.shape, made)] as const
          })
          const out = await run(graph, { ...feeds, ...moved, ...Object.fromEntries(held) })
          return dot(out.hidden_out!, feeds['grad.hidden_out']!)
        }
        const [first] = family.linearModules(config, 1)
        const moved = wanted.filter(name => name === 'hidden' || name.includes(`.${first!.name}.`))
        for (const [index, name] of moved.entries()) {
          const value = (feeds as Tensors)[name]!
          const direction = normal(value.shape, 100 + index)
          const step = 1e-3
          const at = (by: number) => ({
            [name]: float32(
              value.shape,
              (value.data as Float32Array).map((each, i) => each + by * direction.data[i]!)
            )
          })
          const slope = ((await objective(at(step))) - (await objective(at(-step)))) / (2 * step)
          const gradient = gradients[`grad.${name}`]!
          const scale = Math.sqrt(dot(gradient, gradient))
          const derived = dot(gradient, direction)
          assert.ok(Math.abs(slope - derived) < 1e-2 * scale, `${name}: gradient ${derived}, difference ${slope}`)
        }
      })
    }

    test('a session that computes the gains once gives what a forward pass gives', async context => {
      const { checkpoint, family, config, ports, feeds, run } = await open(context)
      const all = { first: 0, end: config.numBlocks }
      const names = Object.keys(ports)
      const whole = await run(family.forwardSpan(config, { blocks: all, ports: names }), feeds)
      const gains = await run(family.gainSpan(config, { blocks: all, ports: names })!, ports)
      const given = Object.fromEntries(Object.entries(gains).map(([name, gain]) => [name.slice('gain.'.length), gain]))
      const caches = emptyCaches(checkpoint, batch, 16)
      const step = { ...feeds, ...given, ...caches, ...decodeStep(feeds.hidden, Array(batch).fill(seq)) }
      const { hidden_out } = await run(family.decodeSpan(config, { blocks: all, ports: names }), step, inPlace(caches))
      const error = relativeError(hidden_out!, whole.hidden_out!)
      assert.ok(error < 1e-5, `relative error ${error}`)
    })
  })
}

test('a magnitude needs its pair, a base matrix the other', async () => {
  const { family, config } = await openCheckpoint(referencePath('grouped'))
  const refused = (ports: string[], message: RegExp) =>
    assert.throws(() => family.forwardSpan(config, { blocks: { first: 1, end: 2 }, ports }), {
      code: 'INVALID_ARGUMENT',
      message
    })
  refused(['blocks.1.lora.self_attn.q_proj.magnitude'], /needs 'blocks\.1\.lora\.self_attn\.q_proj\.A' beside it/)
  refused(['blocks.1.base.self_attn.q_proj.A'], /needs 'blocks\.1\.base\.self_attn\.q_proj\.B' beside it/)
})
