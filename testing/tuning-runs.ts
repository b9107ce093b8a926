// The runs of twenty steps that scripts/reference/tuning.py made with PEFT: folder of the reference, learning rate, adapter.
import type { PeftConfig } from '../client/tuning/index.ts'

/** Path under test/reference of the model that a run or an adapter of this name is over. */
export function baseOf(name: string): string {
  return name.includes('bias') ? 'adapters/biased' : name.includes('tied') ? 'adapters/tied' : 'adapters/base'
}

/** Adapters that PEFT saved, folders of test/reference/adapters. */
export const adapters = [
  'lora',
  'lora-stabilized',
  'lora-all-linear',
  'lora-regex',
  'lora-patterns',
  'lora-bias-all',
  'lora-bias-only',
  'ia3',
  'ia3-all',
  'prompt',
  'prefix',
  'adalora',
  'prefix-projection',
  'p-tuning',
  'p-tuning-lstm'
]

export const tuningRuns: readonly (readonly [name: string, learningRate: number, config: PeftConfig])[] = [
  ['lora', 2e-2, { peftType: 'LORA', r: 4, loraAlpha: 10, targetModules: ['q_proj', 'v_proj', 'down_proj'] }],
  [
    'lora-stabilized',
    2e-2,
    {
      peftType: 'LORA',
      r: 4,
      loraAlpha: 6,
      useRslora: true,
      layersToTransform: [0, 2],
      rankPattern: { down_proj: 2 },
      alphaPattern: { v_proj: 3 },
      targetModules: ['q_proj', 'v_proj', 'down_proj']
    }
  ],
  ['lora-bias-all', 2e-2, { peftType: 'LORA', r: 2, bias: 'all', targetModules: ['q_proj', 'up_proj'] }],
  ['lora-bias-only', 2e-2, { peftType: 'LORA', r: 2, bias: 'lora_only', targetModules: ['q_proj', 'up_proj'] }],
  [
    'lora-modules',
    2e-2,
    {
      peftType: 'LORA',
      r: 2,
      targetModules: ['q_proj'],
      modulesToSave: ['embed_tokens', 'model.norm', 'lm_head']
    }
  ],
  ['ia3', 5e-2, { peftType: 'IA3' }],
  ['deep-prompt', 5e-2, { peftType: 'DEEP_PROMPT_TUNING', numVirtualTokens: 4 }],
  ['prompt', 1e-1, { peftType: 'PROMPT_TUNING', numVirtualTokens: 4 }],
  [
    'adalora',
    5e-2,
    {
      peftType: 'ADALORA',
      initR: 4,
      targetR: 2,
      loraAlpha: 10,
      tinit: 3,
      tfinal: 5,
      deltaT: 2,
      totalStep: 20,
      targetModules: ['q_proj', 'v_proj', 'down_proj']
    }
  ],
  ['prefix', 1e-1, { peftType: 'PREFIX_TUNING', numVirtualTokens: 4 }],
  [
    'prefix-projection',
    2e-2,
    { peftType: 'PREFIX_TUNING', numVirtualTokens: 4, prefixProjection: true, encoderHiddenSize: 24 }
  ],
  ['p-tuning', 2e-2, { peftType: 'P_TUNING', numVirtualTokens: 4, encoderHiddenSize: 24 }],
  [
    'p-tuning-lstm',
    2e-2,
    { peftType: 'P_TUNING', numVirtualTokens: 4, encoderHiddenSize: 12, encoderReparameterizationType: 'LSTM' }
  ]
]

/** Those of them that scripts/reference/tasks.py made for the other tasks too. */
const taskRunNames = ['lora', 'adalora', 'ia3', 'prompt', 'prefix', 'prefix-projection', 'p-tuning', 'p-tuning-lstm']

export const taskRuns = tuningRuns.filter(([name]) => taskRunNames.includes(name))
