// A batch under the names that the model of each task has for it. Knows no model.
import { type Tensor, tensor } from '../../common/tensor.ts'
import type { Batch } from './collate.ts'
import type { TrainableModel, TrainingForwardOptions } from './model.ts'

/** A column of a matrix, [batch, columns] -> [batch]. */
function column({ shape, data }: Tensor<'int64'>, index: number): Tensor<'int64'> {
  const [rows, columns] = shape as [number, number]
  const picked = tensor('int64', [rows])
  for (let row = 0; row < rows; row++) picked.data[row] = data[row * columns + index]!
  return picked
}

/**
 * Loss of a batch: questions have two labels, the first and the last token of the answer; measured values and flags are floats. What the
 * batch has not is not passed.
 */
export async function forwardBatch<Model extends Pick<TrainableModel, 'forward' | 'task'>>(
  model: Model,
  batch: Batch,
  options?: TrainingForwardOptions
): ReturnType<TrainableModel['forward']> {
  const { numbers, labels, ...rest } = batch
  const input =
    model.task === 'QUESTION_ANS'
      ? { ...rest, startPositions: column(labels, 0), endPositions: column(labels, 1) }
      : { ...rest, labels: numbers ?? labels }
  // each task's model has its own names; `Batch` is what they share
  return await model.forward(input as unknown as Batch, options)
}
