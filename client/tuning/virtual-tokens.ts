// Where the vectors of methods with virtual tokens go in models of two stacks, as PEFT has it (peft/peft_model.py). Pure.
import { type BlockRange, rangeLength } from '../../common/range.ts'
import type { Float32Tensor } from '../../common/tensor.ts'
import { float32 } from '../../common/tensor.ts'
import { addGradient, type Parameter } from '../local/parameter.ts'
import type { TuningTarget } from './method.ts'

type Stacks = Pick<TuningTarget, 'numBlocks' | 'encoder' | 'decoder' | 'submodules'>

/** Number of vectors that PEFT stores: one per virtual token and stack. It uses those of the first stack only. */
export function keptTokens(tokens: number, { submodules = 1 }: Stacks): number {
  return tokens * submodules
}

/** Blocks that see the virtual tokens: the encoder's, or else all. */
export function promptedBlocks({ numBlocks, encoder, decoder }: Stacks): BlockRange {
  return encoder ?? decoder ?? { first: 0, end: numBlocks }
}

/** What PEFT calls num_layers: the encoder's blocks, or else the decoder's. */
export function layersOf(target: Stacks): number {
  return rangeLength(promptedBlocks(target))
}

/** The first rows of a matrix, as many as are used. */
export function usedRows({ shape, data }: Pick<Parameter, 'shape' | 'data'>, rows: number): Float32Tensor {
  const [, width] = shape as [number, number]
  return float32([rows, width], data.subarray(0, rows * width))
}

/** Adds the gradient of every row of a batch, [batch, rows, width], to that of a parameter's first rows. */
export function addRowGradients(parameter: Parameter, { shape, data }: Float32Tensor): void {
  if (!parameter.requiresGrad) return
  const size = shape[1]! * shape[2]!
  for (let at = 0; at < data.length; at += size) {
    const row = data.subarray(at, at + size)
    if (size === parameter.data.length) addGradient(parameter, row)
    else {
      parameter.grad ??= new Float32Array(parameter.data.length)
      for (let index = 0; index < size; index++) parameter.grad[index]! += row[index]!
    }
  }
}
