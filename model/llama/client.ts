// What a client computes itself: embedding before the first block; norm, head and loss after the last.
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config.ts'
import { nextTokenLoss } from '../loss.ts'
import { clientTensorNames } from './tensors.ts'

interface ClientOptions {
  /** the tensors are inputs, named as in the checkpoint, not weights of a file */
  readonly trainable?: boolean
}

function matrix(g: GraphBuilder, name: string, shape: readonly number[], { trainable = false }: ClientOptions): Value {
  return trainable ? g.input(name, 'float32', shape) : g.weight(name, 'float32', shape)
}

/** `ids` int64 [batch, seq] -> `hidden` [batch, seq, hidden] */
export function embed(config: ModelConfig, options: ClientOptions = {}): Graph {
  const g = new GraphBuilder('embed')
  const ids = g.input('ids', 'int64', ['batch', 'seq'])
  const { embedding } = clientTensorNames(config)
  g.output('hidden', g.Gather(matrix(g, embedding, [config.vocabSize, config.hiddenSize], options), ids, { axis: 0 }))
  return g.build()
}

function logitsOf(g: GraphBuilder, config: ModelConfig, options: ClientOptions): Value {
  const { norm, head } = clientTensorNames(config)
  const hidden = g.input('hidden', 'float32', ['batch', 'seq', config.hiddenSize])
  const scale = matrix(g, norm, [config.hiddenSize], options)
  const normed = g.SimplifiedLayerNormalization(hidden, scale, { epsilon: config.normEpsilon })
  return g.FusedMatMul(normed, matrix(g, head, [config.vocabSize, config.hiddenSize], options), { transB: true })
}

/** `hidden` [batch, seq, hidden] -> `logits` [batch, seq, vocab] */
export function head(config: ModelConfig, options: ClientOptions = {}): Graph {
  const g = new GraphBuilder('head')
  g.output('logits', logitsOf(g, config, options))
  return g.build()
}

/** `hidden` [batch, seq, hidden], `labels` int64 [batch, seq] -> `loss` [], `logits` [batch, seq, vocab] */
export function headLoss(config: ModelConfig, options: ClientOptions = {}): Graph {
  const g = new GraphBuilder('head-loss')
  const logits = logitsOf(g, config, options)
  const labels = g.input('labels', 'int64', ['batch', 'seq'])
  g.output('loss', nextTokenLoss(g, logits, labels))
  g.output('logits', logits)
  return g.build()
}
