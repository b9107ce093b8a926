// Encoder-decoder models through real servers: what Hugging Face generates, and its losses, logits and gradients.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  type DistributedModelForSeq2SeqLM,
  exportMerged,
  type GenerationOptions,
  getPeftModel,
  type Parameter,
  type PeftConfig,
  PeftModel,
  type PeftModelForSeq2SeqLM,
  readAdapterInfo
} from '../../../client/index.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { readReference, referencePath, temporaryFolder } from '../../../testing/references.ts'
import { relative, startSwarm, type TestSwarm } from '../../../testing/swarm.ts'

interface Settings {
  readonly max_new_tokens?: number
  readonly num_beams?: number
  readonly num_return_sequences?: number
  readonly length_penalty?: number
  readonly early_stopping?: boolean | 'never'
  readonly no_repeat_ngram_size?: number
  readonly min_length?: number
  readonly forced_bos_token_id?: number
  readonly forced_eos_token_id?: number
  readonly repetition_penalty?: number
  readonly eos_token_id?: number[]
  readonly decoder_input_ids?: number[][]
}

interface Pass {
  readonly loss: number
  readonly gradients: Readonly<Record<string, number[]>>
}

interface Entry {
  readonly cases: readonly { readonly settings: Settings; readonly tokens: number[][] }[]
  readonly pass: Pass & { readonly smoothed: number; readonly logits: number[] }
  readonly lora: Pass & { readonly tokens: number[][] }
  readonly prompt: Pass & { readonly tokens: number[][] }
}

interface Reference {
  readonly ids: number[][]
  readonly mask: number[][]
  readonly labels: number[][]
  readonly models: Readonly<Record<string, Entry>>
}

const reference = readReference<Reference>('seq2seq.json')
const input = { inputIds: reference.ids, attentionMask: reference.mask }
const batch = { ...input, labels: reference.labels }

const optionsOf = (settings: Settings): GenerationOptions => ({
  maxNewTokens: settings.max_new_tokens,
  numBeams: settings.num_beams,
  numReturnSequences: settings.num_return_sequences,
  lengthPenalty: settings.length_penalty,
  earlyStopping: settings.early_stopping,
  noRepeatNgramSize: settings.no_repeat_ngram_size,
  minLength: settings.min_length,
  forcedBosTokenId: settings.forced_bos_token_id,
  forcedEosTokenId: settings.forced_eos_token_id,
  repetitionPenalty: settings.repetition_penalty,
  eosTokenIds: settings.eos_token_id
})

/** Gradients under the names of the files, as Hugging Face has them. */
function checkGradients(parameters: readonly Parameter[], expected: Pass['gradients']): void {
  const own = new Map(parameters.map(each => [each.name, each]))
  for (const [name, gradient] of Object.entries(expected)) {
    const found = own.get(name.replace('.default', ''))
    assert.ok(found, `${name} among ${[...own.keys()]}`)
    const difference = relative(found.grad ?? new Float32Array(gradient.length), gradient)
    assert.ok(difference < 2e-5, `${name}: ${difference}`)
  }
}

/** Ranges of blocks of servers, the encoder's first: none of them in the middle of a stack only. */
const rangesOf: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  t5: [
    [0, 1],
    [1, 3],
    [3, 4]
  ],
  't5-gated': [
    [0, 2],
    [2, 3]
  ],
  bart: [
    [0, 1],
    [1, 4]
  ],
  mbart: [[0, 3]]
}

for (const [name, { cases, pass, lora, prompt }] of Object.entries(reference.models)) {
  describe(`${name} over ${rangesOf[name]!.length} servers`, () => {
    let swarm: TestSwarm
    let model: DistributedModelForSeq2SeqLM

    before(async () => {
      swarm = await startSwarm(rangesOf[name]!, { path: referencePath('families', name) })
      model = await swarm.connectSeq2Seq()
    })
    after(async () => {
      await model?.close()
      await swarm?.[Symbol.asyncDispose]()
    })

    for (const { settings, tokens } of cases) {
      it(`writes what Hugging Face writes: ${JSON.stringify(settings)}`, async () => {
        const { decoder_input_ids: decoderInputIds } = settings
        const given = { ...input, ...(decoderInputIds && { decoderInputIds }) }
        assert.deepEqual(await model.generate(given, optionsOf(settings)), tokens)
      })
    }

    it('gives an input alone what it gets in the batch, step by step', async () => {
      const { settings, tokens } = cases[0]!
      const ids = reference.ids[1]!.filter((_, place) => reference.mask[1]![place] === 1)
      const found: (number | null)[] = []
      const alone = { inputIds: [ids], attentionMask: [ids.map(() => 1)] }
      for await (const { token } of model.generateStream(alone, optionsOf(settings))) found.push(token)
      assert.deepEqual([tokens[1]![0], ...found], tokens[1])
    })

    it('guesses from the input, and writes the same', async () => {
      const { settings, tokens } = cases[0]!
      const passes: number[] = []
      const found = await model.generate(reference.ids[0]!, {
        ...optionsOf(settings),
        promptLookupNumTokens: 4,
        onSpeculation: ({ accepted }) => passes.push(accepted)
      })
      assert.deepEqual(found, [tokens[0]])
      assert.ok(passes.length > 0)
    })

    it('tells the probability of each token', async () => {
      const steps = []
      for await (const step of model.generateStream(reference.ids[0]!, { maxNewTokens: 3, topLogprobs: 2 }))
        steps.push(step)
      const { logits } = await model.forward({
        inputIds: [reference.ids[0]!],
        decoderInputIds: [[cases[0]!.tokens[0]![0]!, ...steps.slice(0, 2).map(({ token }) => token!)]]
      })
      const vocab = logits.shape[2]!
      for (const [place, { token, logprobs }] of steps.entries()) {
        const row = logits.data.subarray(place * vocab, (place + 1) * vocab)
        const total = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0))
        assert.ok(Math.abs(logprobs![0]!.logprob - (row[token!]! - total)) < 5e-3)
      }
    })

    it('has the loss, the logits and the gradients of teacher forcing', async () => {
      model.zeroGrad()
      const { loss, logits } = await model.forward(batch)
      assert.ok(Math.abs(loss.value - pass.loss) < 1e-5, `${loss.value} and ${pass.loss}`)
      assert.ok(relative(logits!.data, pass.logits) < 1e-5)
      model.traffic()
      await loss.backward()
      // both stacks count: the servers of each answered
      assert.deepEqual(model.traffic(), { peers: rangesOf[name]!.length, retries: 0 })
      checkGradients(model.parameters(), pass.gradients)
      const smoothed = await model.forward(batch, { labelSmoothing: 0.1, training: false })
      assert.ok(Math.abs(smoothed.loss.value - pass.smoothed) < 1e-5)
      assert.equal(smoothed.logits, null)
      model.zeroGrad()
      const scaled = await model.forward(batch, { logits: false })
      await scaled.loss.backward({ scale: 2 })
      const doubled = Object.entries(pass.gradients).map(([key, values]) => [key, values.map(value => 2 * value)])
      checkGradients(model.parameters(), Object.fromEntries(doubled))
    })

    it("acts with PEFT's LoRA in both stacks, and has its gradients", async t => {
      const folder = referencePath('seq2seq', `${name}-lora`)
      const tuned: PeftModelForSeq2SeqLM = await PeftModel.fromPretrained(model, folder, { isTrainable: true })
      t.after(() => tuned.unload())
      const { loss } = await tuned.forward(batch, { logits: false })
      assert.ok(Math.abs(loss.value - lora.loss) < 1e-5, `${loss.value} and ${lora.loss}`)
      await loss.backward()
      checkGradients(tuned.parameters(), lora.gradients)
      assert.deepEqual(await tuned.generate(input, { maxNewTokens: 16 }), lora.tokens)
      await tuned.disableAdapter(async () => {
        assert.deepEqual(await tuned.generate(input, optionsOf(cases[0]!.settings)), cases[0]!.tokens)
      })
    })

    it("acts with PEFT's prompts before the encoder's input, and has their gradients", async t => {
      const folder = referencePath('seq2seq', `${name}-prompt`)
      const tuned: PeftModelForSeq2SeqLM = await PeftModel.fromPretrained(model, folder, { isTrainable: true })
      t.after(() => tuned.unload())
      const { loss } = await tuned.forward(batch, { logits: false })
      assert.ok(Math.abs(loss.value - prompt.loss) < 1e-5, `${loss.value} and ${prompt.loss}`)
      await loss.backward()
      const [gradient] = Object.values(prompt.gradients)
      checkGradients(tuned.parameters(), { prompt_embeddings: gradient! })
      assert.deepEqual(await tuned.generate(input, { maxNewTokens: 16 }), prompt.tokens)
    })
  })
}

describe('an adapter of an encoder-decoder model', () => {
  const { lora } = reference.models.t5!
  const folder = referencePath('seq2seq', 't5-lora')
  const path = referencePath('families', 't5')

  it('is the same once it is saved and loaded again', async t => {
    const saved = await temporaryFolder(t)
    await using swarm = await startSwarm([[0, 4]], { path })
    await using base = await swarm.connectSeq2Seq()
    const tuned = await PeftModel.fromPretrained(base, folder)
    await tuned.savePretrained(saved)
    const again = await PeftModel.fromPretrained(base, saved)
    const [before, after] = [tuned, again].map(each => each.parameters().map(({ name, data }) => [name, [...data]]))
    assert.deepEqual(after, before)
    assert.equal((await readAdapterInfo(saved)).task, 'SEQ_2_SEQ_LM')
  })

  it('is the same merged into the weights of both stacks', async t => {
    const merged = join(await temporaryFolder(t), 'merged')
    await exportMerged(await openCheckpoint(path), folder, merged, { dtype: 'float32' })
    await using swarm = await startSwarm([[0, 4]], { path: merged })
    await using model = await swarm.connectSeq2Seq()
    const { loss } = await model.forward(batch, { training: false })
    assert.ok(Math.abs(loss.value - lora.loss) < 1e-5, `${loss.value} and ${lora.loss}`)
    assert.deepEqual(await model.generate(input, { maxNewTokens: 16 }), lora.tokens)
  })
})

describe('every kind of method on an encoder-decoder model', () => {
  let swarm: TestSwarm
  let base: DistributedModelForSeq2SeqLM

  before(async () => {
    swarm = await startSwarm([[0, 4]], { path: referencePath('families', 't5') })
    base = await swarm.connectSeq2Seq()
  })
  after(async () => {
    await base?.close()
    await swarm?.[Symbol.asyncDispose]()
  })

  const targetModules = ['q', 'v']
  const configs: readonly PeftConfig[] = [
    { peftType: 'PROMPT_TUNING', numVirtualTokens: 3 },
    { peftType: 'P_TUNING', numVirtualTokens: 3, encoderHiddenSize: 8 },
    { peftType: 'PREFIX_TUNING', numVirtualTokens: 3 },
    { peftType: 'LORA', r: 2, targetModules: 'all-linear', loraDropout: 0.1 },
    { peftType: 'ADALORA', initR: 4, targetR: 2, totalStep: 10, targetModules },
    { peftType: 'IA3' },
    { peftType: 'LOHA', r: 2, targetModules },
    { peftType: 'OFT', oftBlockSize: 4, targetModules },
    { peftType: 'LN_TUNING' }
  ]
  for (const config of configs) {
    it(`lowers the loss with a gradient of every parameter: ${config.peftType}`, async t => {
      const model = await getPeftModel(base, config, { seed: 1 })
      t.after(() => model.unload())
      const losses: number[] = []
      for (let step = 0; step < 3; step++) {
        model.zeroGrad()
        const { loss } = await model.forward(batch, { training: true, seed: 1 })
        await loss.backward()
        losses.push(loss.value)
        for (const { name, data, grad } of model.parameters()) {
          assert.ok(grad?.every(Number.isFinite), name)
          for (let index = 0; index < data.length; index++) data[index]! -= 0.05 * grad![index]!
        }
      }
      assert.ok(losses[2]! < losses[0]!, losses.join())
      const [found] = await model.generate({ inputIds: [reference.ids[0]!] }, { maxNewTokens: 2 })
      assert.equal(found!.length, 3)
    })
  }
})
