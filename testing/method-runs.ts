// The runs that scripts/reference/methods.py made with PEFT: folder of the reference, learning rate, adapter.
import type { PeftConfig } from '../client/tuning/index.ts'

const some = ['q_proj', 'v_proj', 'down_proj']

export const methodRuns: readonly (readonly [name: string, learningRate: number, config: PeftConfig])[] = [
  [
    'loha',
    2e-2,
    {
      peftType: 'LOHA',
      r: 3,
      alpha: 6,
      targetModules: some,
      rankPattern: { down_proj: 2 },
      alphaPattern: { v_proj: 9 }
    }
  ],
  ['lokr', 2e-2, { peftType: 'LOKR', r: 2, alpha: 4, targetModules: some }],
  [
    'lokr-both',
    2e-2,
    {
      peftType: 'LOKR',
      r: 1,
      alpha: 2,
      decomposeBoth: true,
      decomposeFactor: 8,
      initWeights: 'lycoris',
      targetModules: some
    }
  ],
  ['vera', 5e-2, { peftType: 'VERA', r: 8, targetModules: some }],
  [
    'vera-key',
    5e-2,
    {
      peftType: 'VERA',
      r: 6,
      projectionPrngKey: 2 ** 33 + 7,
      saveProjection: false,
      dInitial: 0.3,
      bias: 'vera_only',
      targetModules: ['q_proj', 'up_proj']
    }
  ],
  ['oft', 2e-2, { peftType: 'OFT', oftBlockSize: 4, targetModules: some }],
  ['oft-share', 2e-2, { peftType: 'OFT', r: 6, blockShare: true, useCayleyNeumann: false, targetModules: some }],
  [
    'oft-constrained',
    2e-2,
    {
      peftType: 'OFT',
      oftBlockSize: 8,
      coft: true,
      eps: 0.3,
      bias: 'oft_only',
      numCayleyNeumannTerms: 4,
      targetModules: ['q_proj', 'up_proj']
    }
  ],
  ['boft', 2e-2, { peftType: 'BOFT', boftBlockSize: 4, targetModules: some }],
  [
    'boft-butterfly',
    2e-2,
    {
      peftType: 'BOFT',
      boftBlockNum: 8,
      boftNButterflyFactor: 3,
      bias: 'boft_only',
      targetModules: ['q_proj', 'up_proj']
    }
  ],
  ['ln-blocks', 5e-2, { peftType: 'LN_TUNING', targetModules: String.raw`.*\.[02]\.input_layernorm` }]
]

/** Path under test/reference of the model that a run is over. */
export function methodBase(config: PeftConfig): string {
  return 'bias' in config ? 'adapters/biased' : 'adapters/base'
}
