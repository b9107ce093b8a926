// First values of A and B, with the distributions of PEFT (peft/tuners/lora/layer.py, reset_lora_parameters).

import { createRandom, type Random } from '../../../common/random.ts'
import type { DataOf } from '../../../common/tensor.ts'
import type { LoraSettings } from './config.ts'

/** torch's `kaiming_uniform_(a = sqrt(5))`: uniform within 1 / sqrt(fanIn) of zero. */
function kaimingUniform(size: number, fanIn: number, random: Random): DataOf<'float32'> {
  const bound = 1 / Math.sqrt(fanIn)
  return Float32Array.from({ length: size }, () => (2 * random.uniform() - 1) * bound)
}

type Settings = Pick<LoraSettings, 'r' | 'initLoraWeights'>

/** A `[r, inFeatures]`. `stream` makes a module's values independent of which other modules have an adapter. */
export function initializeA(
  settings: Settings,
  inFeatures: number,
  seed: number,
  ...stream: number[]
): DataOf<'float32'> {
  const random = createRandom(seed, ...stream, 0)
  const { r, initLoraWeights } = settings
  if (initLoraWeights !== 'gaussian') return kaimingUniform(r * inFeatures, inFeatures, random)
  return Float32Array.from({ length: r * inFeatures }, () => random.normal() / r)
}

/** B `[outFeatures, r]`: zeros, so that training begins at the model as it is, unless `initLoraWeights` is false. */
export function initializeB(
  settings: Settings,
  outFeatures: number,
  seed: number,
  ...stream: number[]
): DataOf<'float32'> {
  const { r, initLoraWeights } = settings
  if (initLoraWeights !== false) return new Float32Array(outFeatures * r)
  return kaimingUniform(outFeatures * r, r, createRandom(seed, ...stream, 1))
}
