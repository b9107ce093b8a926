// A model with an adapter merged into it is a checkpoint that computes what base and adapter compute.
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { type ExportOptions, exportMerged, writeMerged } from '../../client/export/export.ts'
import { planMerge } from '../../client/export/merge.ts'
import {
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  getPeftModel,
  PeftModel
} from '../../client/index.ts'
import { createTuning, saveAdapter } from '../../client/tuning/index.ts'
import type { Progress } from '../../common/progress.ts'
import { type Float32Tensor, float32, int64, type Tensor } from '../../common/tensor.ts'
import { type Checkpoint, openCheckpoint, readSample } from '../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors } from '../../model/formats/safetensors/encoding.ts'
import { portName, portsOf } from '../../model/layers/ports.ts'
import { LocalBlocks } from '../../testing/local-blocks.ts'
import { referencePath, temporaryFolder, tuningTarget } from '../../testing/references.ts'
import { startSwarm } from '../../testing/swarm.ts'
import { baseOf } from '../../testing/tuning-runs.ts'
import { familyPath } from '../model/families/families.ts'
import { fullMask, runSpan } from '../model/spans.ts'
import { tinyPath } from '../model/support.ts'

const ids = int64([2, 6], [5, 9, 13, 2, 30, 7, 11, 3, 8, 21, 4, 17])

/** Logits through a server over all blocks, with an adapter or without. */
async function logitsOf(path: string, adapter?: string, inputs?: Record<string, Tensor>): Promise<Float32Tensor> {
  const { numBlocks } = (await openCheckpoint(path)).config
  await using swarm = await startSwarm([[0, numBlocks]], { path })
  await using base = await swarm.connect()
  const model = adapter === undefined ? base : await PeftModel.fromPretrained(base, adapter)
  const rows = ({ shape, data }: Tensor): number[][] => {
    const width = shape[1]!
    const row = (index: number) =>
      Array.from(data.subarray(index * width, (index + 1) * width) as BigInt64Array, Number)
    return Array.from({ length: shape[0]! }, (_, index) => row(index))
  }
  const { ids: inputIds = ids, mask } = inputs ?? {}
  const input = { inputIds: rows(inputIds), ...(mask ? { attentionMask: rows(mask) } : {}) }
  return (await model.forward(input)).logits
}

/** The greatest difference, where `counts` says that a position means something. */
function difference(a: Tensor, b: Tensor, counts?: Tensor<'int64'>): number {
  assert.deepEqual(a.shape, b.shape)
  const width = a.shape.at(-1)!
  let greatest = 0
  for (let index = 0; index < a.data.length; index++) {
    if (counts?.data[Math.floor(index / width)] === 0n) continue
    greatest = Math.max(greatest, Math.abs((a.data[index] as number) - (b.data[index] as number)))
  }
  return greatest
}

async function exported(t: TestContext, base: string, adapter: string, options?: ExportOptions) {
  const folder = join(await temporaryFolder(t), 'merged')
  const result = await exportMerged(await openCheckpoint(base), adapter, folder, options)
  return { ...result, folder, checkpoint: await openCheckpoint(folder) }
}

suite('adapters of PEFT', () => {
  for (const name of [
    'lora',
    'lora-stabilized',
    'lora-all-linear',
    'lora-regex',
    'lora-patterns',
    'lora-bias-all',
    'lora-bias-only',
    'adalora',
    'ia3',
    'ia3-all',
    'lora-modules',
    'ia3-tied'
  ]) {
    test(`'${name}' merged gives the logits that PEFT gives with it`, async t => {
      const path = referencePath('adapters/logits.safetensors')
      const { tensors } = decodeSafetensors(await readFile(path), path)
      const base = referencePath(baseOf(name))
      const { folder, merged } = await exported(t, base, referencePath('adapters', name))
      const mask = tensors.mask as Tensor<'int64'>
      const logits = await logitsOf(folder, undefined, tensors)
      assert.ok(merged > 0)
      const expected = tensors[`${name}.logits`]!
      assert.ok(difference(logits, expected, mask) < 1e-5)
      assert.ok(difference(expected, await logitsOf(base, undefined, tensors), mask) > 1e-3)
    })
  }

  for (const name of ['prompt', 'prefix', 'p-tuning']) {
    test(`'${name}' is refused: no weight can hold it`, async t => {
      await assert.rejects(exported(t, referencePath(baseOf(name)), referencePath('adapters', name)), {
        code: 'UNSUPPORTED',
        message: /(PROMPT_TUNING|PREFIX_TUNING|P_TUNING): \d+ virtual tokens .* cannot be merged/
      })
    })
  }

  test('a head that was its embedding too is written by itself, as it is stored', async t => {
    const base = await openCheckpoint(referencePath('adapters/tied'))
    const { checkpoint } = await exported(t, base.path, referencePath('adapters/ia3-tied'))
    assert.equal(checkpoint.config.tiedEmbeddings, false)
    const [head, embedding] = ['lm_head.weight', 'model.embed_tokens.weight'].map(name => checkpoint.tensors.get(name)!)
    assert.deepEqual([head!.dtype, head!.shape], [embedding!.dtype, embedding!.shape])
    const { name, length } = embedding!
    assert.deepEqual(await readSample(checkpoint, name, length), await readSample(base, name, length))
    assert.notDeepEqual(await readSample(checkpoint, head!.name, length), await readSample(base, name, length))
  })
})

suite('families', () => {
  for (const name of [
    'gpt2',
    'gpt2-odd',
    'bloom',
    'opt-350m',
    'gpt_neox',
    'falcon-7b',
    'falcon-40b',
    'mixtral',
    'gemma3'
  ]) {
    test(`'${name}': every linear module, however its weights lie`, async t => {
      const base = await openCheckpoint(familyPath(name))
      const target = { ...(await tuningTarget(base)), defaultTargets: base.family.defaultTargets }
      const config = {
        peftType: 'LORA',
        r: 3,
        loraAlpha: 7,
        targetModules: 'all-linear',
        initLoraWeights: false
      } as const
      const method = await createTuning(config, target, { seed: 5 })
      const adapter = await temporaryFolder(t)
      await saveAdapter(method, adapter, { baseModel: base.path })
      const { folder, merged } = await exported(t, base.path, adapter, { dtype: 'float32' })
      const outside = base.family.clientLinearModules(base.config).length
      assert.equal(merged, base.config.numBlocks * base.family.portModules(base.config, 0).length + outside)
      const expected = await logitsOf(base.path, adapter)
      assert.ok(difference(expected, await logitsOf(base.path)) > 1e-2)
      assert.ok(difference(await logitsOf(folder), expected) < 1e-4)
    })
  }
})

suite('every kind of port that changes weights', () => {
  /** Hidden states after all blocks. */
  async function statesOf(checkpoint: Checkpoint, ports: Record<string, Float32Tensor>): Promise<Float32Tensor> {
    const { hiddenSize } = checkpoint.config
    const hidden = float32(
      [1, 5, hiddenSize],
      Float32Array.from({ length: 5 * hiddenSize }, (_, i) => Math.sin(i))
    )
    await using blocks = new LocalBlocks(checkpoint)
    return (await blocks.forward(hidden, { ports })).hidden
  }

  for (const name of ['gpt2', 'bloom']) {
    test(`'${name}': scales of inputs and outputs and additions to biases, of norms too, beside LoRA`, async t => {
      const base = await openCheckpoint(familyPath(name))
      const { config, family } = base
      const vector = (size: number) =>
        float32(
          [size],
          Float32Array.from({ length: size }, (_, i) => 1 + Math.cos(i) / 2)
        )
      const ports: Record<string, Float32Tensor> = {}
      for (const { name, inFeatures, outFeatures } of family.linearModules(config, 0)) {
        ports[portName.lora(1, name, 'A')] = float32([1, inFeatures], vector(inFeatures).data)
        ports[portName.lora(1, name, 'B')] = float32(
          [outFeatures, 1],
          vector(outFeatures).data.map(value => value / 50)
        )
        ports[portName.scale(1, name, 'input')] = vector(inFeatures)
        ports[portName.scale(1, name, 'output')] = vector(outFeatures)
      }
      for (const { name, size } of family.blockBiases(config, 0)) ports[portName.bias(0, name)] = vector(size)
      const [first] = family.linearModules(config, 0)
      ports[portName.scale(0, first!.name, 'output')] = vector(first!.outFeatures)
      const folder = join(await temporaryFolder(t), 'merged')
      const method = { virtualTokens: 0, ports: () => ports }
      await writeMerged(base, planMerge(method, base, 'a test'), folder)
      const expected = await statesOf(base, ports)
      const merged = await statesOf(await openCheckpoint(folder), {})
      const size = Math.max(...expected.data.map(Math.abs))
      assert.ok(difference(merged, expected) < 1e-5 * size, `${difference(merged, expected)} of ${size}`)
      assert.ok(difference(await statesOf(base, {}), expected) > 1e-2 * size)
    })
  }

  for (const name of ['t5-gated', 'umt5', 'bart', 'mbart']) {
    test(`'${name}': blocks of both stacks, those of cross attention among them`, async t => {
      const base = await openCheckpoint(familyPath(name))
      const { config, family } = base
      const vector = (size: number, scale: number) =>
        Float32Array.from({ length: size }, (_, i) => scale * (1 + Math.cos(i) / 2))
      const ports: Record<string, Float32Tensor> = {}
      for (let block = 0; block < config.numBlocks; block++) {
        for (const { name, inFeatures, outFeatures } of family.linearModules(config, block)) {
          ports[portName.lora(block, name, 'A')] = float32([1, inFeatures], vector(inFeatures, 1))
          ports[portName.lora(block, name, 'B')] = float32([outFeatures, 1], vector(outFeatures, 0.02))
          ports[portName.scale(block, name, 'output')] = float32([outFeatures], vector(outFeatures, 1))
        }
        for (const { name, size } of family.blockBiases(config, block)) {
          ports[portName.bias(block, name)] = float32([size], vector(size, 0.2))
        }
      }
      const folder = join(await temporaryFolder(t), 'merged')
      await writeMerged(base, planMerge({ virtualTokens: 0, ports: () => ports }, base, 'a test'), folder)
      const merged = await openCheckpoint(folder)
      const cacheDir = await temporaryFolder(t)
      const states = (rows: number) =>
        float32(
          [1, rows, config.hiddenSize],
          vector(rows * config.hiddenSize, 1).map((value, i) => value * Math.sin(i))
        )
      const feeds = {
        hidden: states(5),
        mask: fullMask(1, 5),
        encoder_hidden: states(3),
        encoder_mask: fullMask(1, 3)
      }
      for (const { blocks } of config.stacks!) {
        const own = portsOf(ports, blocks)
        const through = async (checkpoint: Checkpoint, given: Record<string, Float32Tensor>) => {
          const graph = family.forwardSpan(config, { blocks, ports: Object.keys(given) })
          return (await runSpan(checkpoint, graph, { ...feeds, ...given }, cacheDir)).hidden_out!
        }
        const expected = await through(base, own)
        assert.ok(difference(await through(merged, {}), expected) < 1e-4)
        assert.ok(difference(await through(base, {}), expected) > 1e-2)
      }
    })
  }

  test('prompts of blocks act on hidden states and are refused', async () => {
    const base = await openCheckpoint(familyPath('gpt2'))
    const method = { virtualTokens: 0, ports: () => ({ [portName.prompt(1)]: float32([1, 32], new Float32Array(32)) }) }
    assert.throws(() => planMerge(method, base, 'an adapter'), {
      code: 'UNSUPPORTED',
      message: 'an adapter: its prompt acts on hidden states: it cannot be merged into weights'
    })
  })
})

suite('adapters of classifications', () => {
  const labels = ['low', 'middle', 'high']
  const openers = {
    SEQ_CLS: AutoDistributedModelForSequenceClassification,
    TOKEN_CLS: AutoDistributedModelForTokenClassification
  } as const
  const input = { inputIds: [[5, 9, 13, 2, 30]] }

  for (const [task, opener] of Object.entries(openers)) {
    for (const name of ['adapters/base', 'families/gpt2', 'families/bloom']) {
      test(`${task} over '${name}': the head and its classes are part of the checkpoint`, async t => {
        const path = referencePath(name)
        const { numBlocks } = (await openCheckpoint(path)).config
        const adapter = await temporaryFolder(t)
        let expected: Float32Tensor
        {
          await using swarm = await startSwarm([[0, numBlocks]], { path })
          await using base = await opener.fromPretrained(path, { initialPeers: swarm.join, id2label: labels, seed: 2 })
          const config = { peftType: 'LORA', r: 2, targetModules: 'all-linear', initLoraWeights: false } as const
          const tuned = base.task === 'SEQ_CLS' ? await getPeftModel(base, config) : await getPeftModel(base, config)
          for (const { name, data } of tuned.parameters()) if (name.endsWith('bias')) data.fill(0.5)
          await tuned.savePretrained(adapter)
          expected = (await tuned.forward(input, { training: false })).logits
        }
        const { folder } = await exported(t, path, adapter)
        await using swarm = await startSwarm([[0, numBlocks]], { path: folder })
        await using merged = await opener.fromPretrained(folder, { initialPeers: swarm.join })
        assert.deepEqual(merged.id2label, labels)
        assert.ok(difference((await merged.forward(input)).logits, expected) < 1e-4)
        const { architectures, label2id } = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
        assert.match(architectures[0], task === 'SEQ_CLS' ? /ForSequenceClassification$/ : /ForTokenClassification$/)
        assert.equal(label2id.high, 2)
      })
    }
  }
})

suite('the folder', () => {
  /** An adapter over models/tiny, whose weights are bfloat16. */
  async function tinyAdapter(t: TestContext): Promise<string> {
    const target = await tuningTarget(await openCheckpoint(tinyPath))
    const config = { peftType: 'LORA', r: 2, targetModules: ['q_proj'], initLoraWeights: false } as const
    const folder = await temporaryFolder(t)
    await saveAdapter(await createTuning(config, target, { seed: 1 }), folder, { baseModel: tinyPath })
    return folder
  }

  test('holds configuration, tokenizer and generation settings; other weights are the same bytes', async t => {
    const { folder, checkpoint, merged } = await exported(t, tinyPath, await tinyAdapter(t))
    assert.deepEqual((await readdir(folder)).sort(), [
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json'
    ])
    const base = await openCheckpoint(tinyPath)
    const { merged_adapter: mark, ...settings } = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'))
    assert.deepEqual(settings, base.config.raw)
    assert.match(mark, /^[0-9a-f]{16}$/)
    assert.notEqual(checkpoint.identity, base.identity)
    let changed = 0
    for (const [name, { dtype, length }] of base.tensors) {
      assert.equal(checkpoint.tensors.get(name)!.dtype, dtype)
      const [before, after] = [await readSample(base, name, length), await readSample(checkpoint, name, length)]
      if (!Buffer.from(before).equals(after)) {
        assert.match(name, /q_proj/)
        changed += 1
      }
    }
    assert.deepEqual([changed, merged], [12, 12])
  })

  test('is written in shards, in a chosen element type, each tensor once', async t => {
    const adapter = await tinyAdapter(t)
    const seen: string[] = []
    const shardBytes = 4 * 1024 * 1024
    const stages: Progress[] = []
    const onTensor = ({ name }: { name: string }): void => void seen.push(name)
    const { folder, files, bytes, checkpoint } = await exported(t, tinyPath, adapter, {
      dtype: 'float32',
      shardBytes,
      onTensor,
      onProgress: progress => stages.push(progress)
    })
    assert.ok(files.length > 4)
    const base = await openCheckpoint(tinyPath)
    const total = [...base.tensors.values()].reduce((sum, { length }) => sum + length, 0)
    const about = { stage: 'export', name: base.name, unit: 'bytes', total }
    assert.deepEqual(stages[0], { ...about, done: 0, ended: false })
    assert.deepEqual(stages.at(-1), { ...about, done: total, ended: true })
    assert.deepEqual(new Set(seen), new Set(checkpoint.tensors.keys()))
    assert.equal(seen.length, checkpoint.tensors.size)
    assert.ok([...checkpoint.tensors.values()].every(({ dtype }) => dtype === 'float32'))
    const index = JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8'))
    assert.equal(index.metadata.total_size, bytes)
    assert.equal(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')).dtype, 'float32')
    assert.ok(difference(await logitsOf(folder), await logitsOf(tinyPath, adapter)) < 1e-4)
  })

  test('must be empty; an adapter of another model is named', async t => {
    const adapter = await tinyAdapter(t)
    const full = await temporaryFolder(t)
    await writeFile(join(full, 'notes.md'), '')
    const base = await openCheckpoint(tinyPath)
    await assert.rejects(exportMerged(base, adapter, full), {
      code: 'INVALID_ARGUMENT',
      message: /expected a new or empty folder, found notes\.md/
    })
    await assert.rejects(exportMerged(base, referencePath('adapters/lora'), join(full, 'new')), {
      code: 'BAD_CHECKPOINT',
      message: /is it of another base model\?/
    })
    assert.deepEqual(await readdir(full), ['notes.md'])
  })
})
