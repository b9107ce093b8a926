// Cross entropy with masked labels, as graph operators; for the next token as ForCausalLMLoss of Hugging Face
// transformers: logits at t predict the label at t + 1; the mean is over labels that are not -100.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Dim, Graph, Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config/config.ts'
import type { Family, HeadLossKind, LossOptions } from '../family.ts'

/** The label that counts for nothing. */
export const ignoredLabel = -100

/**
 * Cross entropy: logits [batch, seq, classes], labels int64 [batch, seq] -> scalar, the mean over labels that are not -100.
 * NaN where every label is ignored, as in PyTorch. `labelSmoothing` is the share of the target that is spread over all classes,
 * as the LabelSmoother of Hugging Face's trainer has it.
 */
export function crossEntropy(g: GraphBuilder, logits: Value, labels: Value, labelSmoothing = 0): Value {
  const counted = g.Not(g.Equal(labels, g.constant(ignoredLabel, 'int64')))
  const index = g.Unsqueeze(g.Where(counted, labels, g.constant(0, 'int64')), [2])
  const weights = g.Cast(counted, { to: 'float32' })
  const logs = g.LogSoftmax(logits, { axis: -1 })
  const picked = g.Squeeze(g.GatherElements(logs, index, { axis: 2 }), [2])
  const likelihood = labelSmoothing === 0 ? picked : smoothed(g, logs, picked, labelSmoothing)
  const total = g.ReduceSum(g.Mul(likelihood, weights), { keepdims: false })
  return g.Neg(g.Div(total, g.ReduceSum(weights, { keepdims: false })))
}

function smoothed(g: GraphBuilder, logs: Value, picked: Value, labelSmoothing: number): Value {
  const mean = g.ReduceMean(logs, { axes: [-1], keepdims: false })
  return g.Add(g.Mul(picked, g.constant(1 - labelSmoothing)), g.Mul(mean, g.constant(labelSmoothing)))
}

/**
 * logits [batch, seq, vocab], labels int64 [batch, seq] -> scalar. NaN where every label is ignored, as in PyTorch.
 * The labels are shifted, not the logits, which would be copied.
 */
export function nextTokenLoss(g: GraphBuilder, logits: Value, labels: Value, labelSmoothing = 0): Value {
  const last = g.Expand(g.constant(ignoredLabel, 'int64'), ['batch', 1])
  const shifted = g.Concat([g.Slice(labels, { axis: 1, start: 1 }), last], { axis: 1 })
  return crossEntropy(g, logits, shifted, labelSmoothing)
}

/**
 * The mean of both positions' cross entropy: logits [batch, seq, 2], labels int64 [batch, 2] of positions, -100 for none. `padding`
 * [batch, seq] is added to the logits of both: very negative at padding, which is no place for an answer.
 */
function spanLoss(g: GraphBuilder, logits: Value, labels: Value, padding: Value): Value {
  const rows = g.Add(g.Transpose(logits, { perm: [0, 2, 1] }), g.Unsqueeze(padding, [1]))
  const [first, last] = [0, 1].map(at => {
    const cut = (x: Value): Value => g.Slice(x, { axis: 1, start: at, end: at + 1 })
    return crossEntropy(g, cut(rows), cut(labels))
  })
  return g.Mul(g.Add(first!, last!), g.constant(0.5))
}

/** The mean of -(t log sigmoid(x) + (1 - t) log sigmoid(-x)), by the softmax of x and 0: finite and smooth for every x. */
function binaryCrossEntropy(g: GraphBuilder, logits: Value, targets: Value): Value {
  const pair = (x: Value, other: Value): Value => g.Concat([g.Unsqueeze(x, [3]), g.Unsqueeze(other, [3])], { axis: 3 })
  const half = g.Mul(logits, g.constant(0.5))
  const logs = g.LogSoftmax(pair(half, g.Neg(half)), { axis: -1 })
  const likelihoods = g.Mul(logs, pair(targets, g.Sub(g.constant(1), targets)))
  return g.Neg(g.ReduceMean(g.ReduceSum(likelihoods, { axes: [-1], keepdims: false }), { keepdims: false }))
}

/** The loss of a task's head; declares the input that it compares the logits with. */
export function headLossOf(g: GraphBuilder, kind: HeadLossKind, logits: Value, labelSmoothing: number): Value {
  const [batch, positions] = logits.shape as [Dim, Dim]
  if (kind === 'classes') {
    return crossEntropy(g, logits, g.input('labels', 'int64', [batch, positions]), labelSmoothing)
  }
  if (kind === 'spans')
    return spanLoss(
      g,
      logits,
      g.input('labels', 'int64', [batch, 2]),
      g.input('padding', 'float32', [batch, positions])
    )
  const targets = g.input('targets', 'float32', logits.shape)
  if (kind === 'flags') return binaryCrossEntropy(g, logits, targets)
  const distance = g.Sub(logits, targets)
  return g.ReduceMean(g.Mul(distance, distance), { keepdims: false })
}

/** Final norm, head and loss of a model as one graph: `hidden`, `labels` -> `loss`, `logits`. */
export function headLoss(
  { family, config }: { family: Family; config: ModelConfig },
  options: LossOptions = {}
): Graph {
  return family.headLoss(config, options)
}
