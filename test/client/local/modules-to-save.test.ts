// Modules outside the blocks by their names in transformers, and which copy takes whose place.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modulesToSaveOf } from '../../../client/heads/modules-to-save.ts'
import { type Parameter, parameter } from '../../../client/local/parameter.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { referencePath } from '../../../testing/references.ts'

async function open(name: string) {
  const checkpoint = await openCheckpoint(referencePath('families', name))
  const tensors = checkpoint.family.clientTensors(checkpoint.config)
  const parameters = new Map<string, Parameter>(tensors.map(({ name, shape }) => [name, parameter(name, shape)]))
  return { checkpoint, parameters }
}

const cases: readonly (readonly [model: string, modules: readonly string[], tensors: readonly string[]])[] = [
  ['gpt2', ['wpe', 'ln_f'], ['transformer.wpe.weight', 'transformer.ln_f.weight', 'transformer.ln_f.bias']],
  ['gpt2', ['lm_head', 'transformer.wte'], ['transformer.wte.weight', 'lm_head.weight']],
  ['gpt_neox', ['lm_head'], ['lm_head.weight']],
  ['opt-350m', ['project_in', 'project_out'], ['model.decoder.project_in.weight', 'model.decoder.project_out.weight']],
  ['falcon-7b', ['lm_head', 'word_embeddings'], ['transformer.word_embeddings.weight', 'lm_head.weight']]
]

for (const [model, modules, expected] of cases) {
  test(`${modules.join(' and ')} of ${model} are ${expected.join(', ')}`, async () => {
    const { checkpoint, parameters } = await open(model)
    const own = modulesToSaveOf(checkpoint, parameters, { modules, biases: false }, 'CAUSAL_LM')
    assert.deepEqual(own.parameters.map(({ name }) => name).sort(), [...expected].sort())
    for (const copy of own.parameters) assert.ok(![...parameters.values()].includes(copy))
  })
}

test('a tied matrix is copied for each of its two uses by itself', async () => {
  const { checkpoint, parameters } = await open('gpt2')
  const name = 'transformer.wte.weight'
  const tied = parameters.get(name)
  const embedding = modulesToSaveOf(checkpoint, parameters, { modules: ['wte'], biases: false }, 'CAUSAL_LM')
  assert.deepEqual([embedding.before.get(name), embedding.after.get(name)], [embedding.parameters[0], tied])
  const head = modulesToSaveOf(checkpoint, parameters, { modules: ['lm_head'], biases: false }, 'CAUSAL_LM')
  assert.deepEqual([head.before.get(name), head.after.get(name)], [tied, head.parameters[0]])
})

test('a norm that blocks have too is refused', async () => {
  const { checkpoint, parameters } = await open('gpt2')
  assert.throws(() => modulesToSaveOf(checkpoint, parameters, { modules: ['ln_1'], biases: false }, 'CAUSAL_LM'), {
    code: 'INVALID_ARGUMENT',
    message:
      /'ln_1' also names modules of blocks \(transformer.h.0.ln_1\).*transformer.wte, transformer.wpe, transformer.ln_f, lm_head/
  })
})
