// Prefixes over Falcon's new architecture, which transformers keeps for every query head: loaded from PEFT's files and saved as they are
// (scripts/reference/falcon_prefix.py).
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { AutoDistributedModelForCausalLM, getPeftModel, PeftModel, type Progress } from '../../../../client/index.ts'
import { openCheckpoint } from '../../../../model/checkpoint/checkpoint.ts'
import { decodeSafetensors, encodeSafetensors } from '../../../../model/formats/safetensors/encoding.ts'
import { assertClose, readReference, referencePath, temporaryFolder } from '../../../../testing/references.ts'
import { startSwarm } from '../../../../testing/swarm.ts'

const path = referencePath('families', 'falcon-40b')
const saved = referencePath('falcon-prefix')

async function read(folder: string) {
  const file = join(folder, 'adapter_model.safetensors')
  const config = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8'))
  return { prompt: decodeSafetensors(await readFile(file), file).tensors.prompt_embeddings!, config }
}

test('a prefix over Falcon’s new architecture is PEFT’s, both ways', async context => {
  const { numBlocks } = (await openCheckpoint(path)).config
  const swarm = await startSwarm([[0, numBlocks]], { path })
  context.after(() => swarm[Symbol.asyncDispose]())
  const stages: Progress[] = []
  await using base = await AutoDistributedModelForCausalLM.fromPretrained(path, {
    initialPeers: swarm.join,
    onProgress: progress => stages.push(progress)
  })
  const ended = stages.filter(progress => progress.ended)
  assert.deepEqual(
    ended.map(({ stage }) => stage),
    ['connect', 'load']
  )
  assert.ok(ended[1]!.total! > 0 && ended[1]!.done === ended[1]!.total)
  const expected = readReference<{ ids: number[][]; logits: number[][] }>('falcon-prefix', 'logits.json')
  const model = await PeftModel.fromPretrained(base, saved)
  const { logits } = await model.forward({ inputIds: expected.ids })
  const [rows, positions, vocabulary] = logits.shape as [number, number, number]
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * positions * vocabulary
    assertClose(logits.data.subarray(end - vocabulary, end), expected.logits[row]!, 1e-4, `row ${row}`)
  }
  const folder = await temporaryFolder(context)
  await model.savePretrained(folder)
  const [ours, theirs] = [await read(folder), await read(saved)]
  assert.deepEqual([ours.prompt.shape, ours.prompt.data], [theirs.prompt.shape, theirs.prompt.data])
  for (const field of ['token_dim', 'num_attention_heads', 'num_layers']) {
    assert.equal(ours.config[field], theirs.config[field], field)
  }
  await model.unload()

  // with a projection the encoder's vectors are repeated too
  const projected = await getPeftModel(base, {
    peftType: 'PREFIX_TUNING',
    numVirtualTokens: 3,
    prefixProjection: true
  })
  const inputs = { inputIds: expected.ids }
  const before = await projected.eval().forward(inputs)
  await projected.savePretrained(folder)
  await projected.unload()
  assert.deepEqual((await read(folder)).prompt.shape, theirs.prompt.shape)
  const again = await PeftModel.fromPretrained(base, folder)
  assertClose((await again.forward(inputs)).logits.data, before.logits.data, 1e-6, 'saved and loaded')
  await again.unload()

  const changed = { prompt_embeddings: { ...theirs.prompt, data: (theirs.prompt.data as Float32Array).slice() } }
  changed.prompt_embeddings.data[0]! += 1
  await writeFile(join(folder, 'adapter_model.safetensors'), encodeSafetensors(changed, { format: 'pt' }))
  await assert.rejects(PeftModel.fromPretrained(base, folder), {
    code: 'UNSUPPORTED',
    message: /query heads that share keys and values have prefixes of their own, as PEFT trains them/
  })
})
