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

/** Rows of a random orthogonal matrix `[size, size]`, by Gram and Schmidt, twice over against rounding. */
function orthogonalRows(size: number, random: Random): number[][] {
  const rows: number[][] = []
  while (rows.length < size) {
    let row = Array.from({ length: size }, () => random.normal())
    for (const other of [...rows, ...rows]) {
      const along = row.reduce((sum, value, index) => sum + value * other[index]!, 0)
      row = row.map((value, index) => value - along * other[index]!)
    }
    const norm = Math.hypot(...row)
    if (norm > 1e-9) rows.push(row.map(value => value / norm))
  }
  return rows
}

/**
 * A or B of PEFT's orthogonal_init: normal numbers over the odd rows of an orthogonal matrix (A) or the even ones (B), by 1/10.
 * A `[r, features]`, B `[features, r]`.
 */
function orthogonalHalf(
  { r }: Settings,
  features: number,
  half: 'A' | 'B',
  seed: number,
  ...stream: number[]
): DataOf<'float32'> {
  const rows = orthogonalRows(r, createRandom(seed, ...stream, 2)).filter(
    (_, row) => row % 2 === (half === 'A' ? 0 : 1)
  )
  const random = createRandom(seed, ...stream, half === 'A' ? 0 : 1)
  const values = new Float32Array(r * features)
  for (let feature = 0; feature < features; feature++) {
    const weights = rows.map(() => random.normal() / 10)
    for (let rank = 0; rank < r; rank++) {
      const value = rows.reduce((sum, row, index) => sum + weights[index]! * row[rank]!, 0)
      values[half === 'A' ? rank * features + feature : feature * r + rank] = value
    }
  }
  return values
}

/** Normal numbers, as B of an embedding begins. */
export function normalNumbers(size: number, seed: number, ...stream: number[]): DataOf<'float32'> {
  const random = createRandom(seed, ...stream, 1)
  return Float32Array.from({ length: size }, () => random.normal())
}

/** A `[r, inFeatures]`. `stream` makes a module's values independent of which other modules have an adapter. */
export function initializeA(
  settings: Settings,
  inFeatures: number,
  seed: number,
  ...stream: number[]
): DataOf<'float32'> {
  const random = createRandom(seed, ...stream, 0)
  const { r, initLoraWeights } = settings
  if (initLoraWeights === 'orthogonal') return orthogonalHalf(settings, inFeatures, 'A', seed, ...stream)
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
  if (initLoraWeights === 'orthogonal') return orthogonalHalf(settings, outFeatures, 'B', seed, ...stream)
  if (initLoraWeights !== false) return new Float32Array(outFeatures * r)
  return kaimingUniform(outFeatures * r, r, createRandom(seed, ...stream, 1))
}
