// What the flags of `swarm train` say about the adapter, as its configuration. Knows no model and no dataset.
import type { PeftConfig } from '../client/index.ts'

export const tuningMethods = ['lora', 'adalora', 'prompt', 'prefix', 'p-tuning'] as const

export interface PeftFlags {
  method: (typeof tuningMethods)[number]
  rank: number
  alpha?: number
  dropout: number
  targetModules: string[]
  virtualTokens: number
  projection?: boolean
  encoder: 'mlp' | 'lstm'
  encoderHiddenSize?: number
}

/** AdaLoRA begins with half as many ranks again as it ends with, as PEFT's defaults do. */
const spareRanks = 1.5

/** Share of the steps before AdaLoRA takes ranks away, and after it has. */
const settledShare = 0.2

/** @param totalSteps of the training, which AdaLoRA's schedule follows */
export function peftConfig(flags: PeftFlags, totalSteps: number): PeftConfig {
  const { method, rank, virtualTokens: numVirtualTokens, encoderHiddenSize } = flags
  const [first] = flags.targetModules
  const adapter = {
    loraAlpha: flags.alpha ?? 2 * rank,
    loraDropout: flags.dropout,
    targetModules: flags.targetModules.length === 1 && first === 'all-linear' ? 'all-linear' : flags.targetModules
  }
  const settled = Math.floor(settledShare * totalSteps)
  switch (method) {
    case 'lora':
      return { peftType: 'LORA', r: rank, ...adapter }
    case 'adalora': {
      const ranks = { initR: Math.ceil(spareRanks * rank), targetR: rank }
      return { peftType: 'ADALORA', ...ranks, totalStep: totalSteps, tinit: settled, tfinal: settled, ...adapter }
    }
    case 'prompt':
      return { peftType: 'PROMPT_TUNING', numVirtualTokens }
    case 'prefix':
      return { peftType: 'PREFIX_TUNING', numVirtualTokens, prefixProjection: flags.projection, encoderHiddenSize }
    case 'p-tuning': {
      const encoderReparameterizationType = flags.encoder === 'lstm' ? 'LSTM' : 'MLP'
      return { peftType: 'P_TUNING', numVirtualTokens, encoderReparameterizationType, encoderHiddenSize }
    }
  }
}
