// Methods over models of an encoder, and of an encoder and a decoder, through two servers: twenty steps are those of PEFT, or of the
// paper's form in PyTorch where PEFT has none (scripts/reference/stack_methods.py).
import { after, before, describe, it } from 'node:test'
import {
  AutoDistributedModelForSeq2SeqLM,
  getPeftModel,
  type Parameter,
  type PeftConfig,
  type PretrainedOptions
} from '../../../../client/index.ts'
import { float32, type Tensor } from '../../../../common/tensor.ts'
import { referencePath } from '../../../../testing/references.ts'
import { startSwarm, type TestSwarm } from '../../../../testing/swarm.ts'
import { followRun, type References, readReferences } from './follow-run.ts'
import { questions, tasks } from './tasks.ts'

const numVirtualTokens = 3

const shared: Readonly<Record<string, readonly [learningRate: number, config: PeftConfig]>> = {
  prompt: [5e-2, { peftType: 'PROMPT_TUNING', numVirtualTokens }],
  'p-tuning': [2e-2, { peftType: 'P_TUNING', numVirtualTokens, encoderHiddenSize: 8 }],
  adalora: [
    2e-2,
    { peftType: 'ADALORA', initR: 3, targetR: 2, loraAlpha: 6, tinit: 3, tfinal: 5, deltaT: 2, totalStep: 20 }
  ],
  ia3: [5e-2, { peftType: 'IA3' }],
  loha: [2e-2, { peftType: 'LOHA', r: 2, alpha: 4 }],
  lokr: [2e-2, { peftType: 'LOKR', r: 1, alpha: 2 }],
  vera: [5e-2, { peftType: 'VERA', r: 6 }],
  oft: [2e-2, { peftType: 'OFT', oftBlockSize: 4 }],
  boft: [2e-2, { peftType: 'BOFT', boftBlockSize: 4 }]
}

// Over a model without kinks: rounding decides on which side of one an element lies, and gradients jump there. In larger steps
// PyTorch's own float32 leaves its float64 by more than 1e-4.
const { 'p-tuning': pTuning, ...withoutPTuning } = shared

/** By model, as the script has them. */
export const stackRuns = {
  't5-gated': {
    'p-tuning': [2e-3, pTuning![1]],
    'p-tuning-lstm': [
      5e-4,
      { peftType: 'P_TUNING', numVirtualTokens, encoderHiddenSize: 8, encoderReparameterizationType: 'LSTM' }
    ]
  },
  t5: {
    ...withoutPTuning,
    prefix: [5e-2, { peftType: 'PREFIX_TUNING', numVirtualTokens }],
    'prefix-projection': [
      2e-2,
      { peftType: 'PREFIX_TUNING', numVirtualTokens, encoderHiddenSize: 8, prefixProjection: true }
    ],
    'ln-tuning': [5e-2, { peftType: 'LN_TUNING' }],
    'prefix-both': [5e-2, { peftType: 'PREFIX_TUNING', numVirtualTokens, prefixStack: 'both' }]
  },
  bert: {
    ...shared,
    'ln-tuning': [5e-2, { peftType: 'LN_TUNING', targetModules: ['LayerNorm'] }],
    prefix: [5e-2, { peftType: 'PREFIX_TUNING', numVirtualTokens }],
    'deep-prompt': [5e-2, { peftType: 'DEEP_PROMPT_TUNING', numVirtualTokens }]
  }
} as const satisfies Record<string, Readonly<Record<string, readonly [number, PeftConfig]>>>

async function seq2seq(path: string, options: PretrainedOptions, config: PeftConfig) {
  const base = await AutoDistributedModelForSeq2SeqLM.fromPretrained(path, options)
  const model = await getPeftModel(base, config)
  const lossOf = async (inputs: References, step: number) => {
    const [inputIds, attentionMask, labels] = [inputs.ids, inputs.mask, inputs.labels] as Tensor<'int64'>[]
    const input = { inputIds: inputIds!, attentionMask: attentionMask!, labels: labels! }
    return (await model.forward(input, { training: true, seed: step })).loss
  }
  return { model, lossOf }
}

const openers = { t5: { seq2seq }, 't5-gated': { seq2seq }, bert: { ...tasks, questions } }

/** Norms outside the blocks are parameters of the model, and called as it calls them; PEFT's files have another name. */
function withOwnNames(tensors: References, names: ReadonlySet<string>): References {
  return Object.fromEntries(
    Object.entries(tensors).map(([key, tensor]) => {
      const [, kind, path, part] =
        /^(initial|gradient|final)\.base_model\.model\.(.+)\.ln_tuning_layers\.(\w+)$/.exec(key) ?? []
      const own = `${path}.${part}`
      return [names.has(own) ? `${kind}.${own}` : key, tensor]
    })
  )
}

/** Not run for answers: rounding is a large part of some of their first gradients over this model. */
const unsteady: readonly string[] = ['ia3', 'loha', 'ln-tuning']

/** Biases of answers: a softmax over the places of a row takes no note of what is added to all, so their gradient is zero but for rounding. */
const isNoise = (name: string): boolean => name === 'qa_outputs.bias'

function withoutNoise(tensors: References): References {
  return Object.fromEntries(
    Object.entries(tensors).map(([key, tensor]) => [
      key,
      key === 'gradient.qa_outputs.bias' ? float32(tensor.shape, new Float32Array(tensor.data.length)) : tensor
    ])
  )
}

/** The runs that `chosen` says, of every task of a model. */
export function describeStackRuns(chosen: (model: string, task: string, name: string) => boolean): void {
  for (const model of ['t5', 't5-gated', 'bert'] as const) {
    const path = referencePath('stacks', model)
    const ranges =
      model !== 'bert'
        ? ([
            [0, 3],
            [3, 6]
          ] as const)
        : ([
            [0, 1],
            [1, 2]
          ] as const)
    const runs = Object.entries(openers[model]).flatMap(([task, open]) =>
      Object.entries(stackRuns[model])
        .filter(([name]) => chosen(model, task, name) && !(task === 'questions' && unsteady.includes(name)))
        .map(([name, [learningRate, config]]) => ({ task, open, name, learningRate, config: config as PeftConfig }))
    )
    if (runs.length === 0) continue
    describe(`methods over a ${model} through two servers`, () => {
      let swarm: TestSwarm
      before(async () => {
        swarm = await startSwarm(ranges, { path })
      })
      after(() => swarm[Symbol.asyncDispose]())
      for (const { task, open, name, learningRate, config } of runs) {
        it(`${task}: twenty steps of '${name}' are the reference's`, async () => {
          const { model: tuned, lossOf } = await open(path, { initialPeers: swarm.join }, config)
          try {
            const names = new Set((tuned.parameters() as readonly Parameter[]).map(({ name }) => name))
            const expected = withOwnNames(
              readReferences('stacks', 'runs', `${model}-${task}-${name}.safetensors`),
              names
            )
            // gradients of these narrow models are small next to what they are sums of
            await followRun(tuned, withoutNoise(expected), learningRate, lossOf, isNoise, 1e-4)
          } finally {
            await tuned.close()
          }
        })
      }
    })
  }
}
