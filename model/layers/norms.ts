// Tensors of norms as checkpoints hold them.
import type { ExpectedTensor } from '../family.ts'

/** Scale and bias of norms over `size` numbers. */
export function layerNormTensors(names: readonly string[], size: number): readonly ExpectedTensor[] {
  return names.flatMap(name => ['weight', 'bias'].map(part => ({ name: `${name}.${part}`, shape: [size] })))
}

/** Scales of norms by the root mean square. */
export function rmsNormTensors(names: readonly string[], size: number): readonly ExpectedTensor[] {
  return names.map(name => ({ name: `${name}.weight`, shape: [size] }))
}
