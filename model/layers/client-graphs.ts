// What a client computes itself: embedding before the first block; norm, head and loss after the last.
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config.ts'
import type { ClientContext, FamilyDescription } from '../description.ts'
import { clientTensorsOf } from '../expected-tensors.ts'
import { nextTokenLoss } from '../loss.ts'
import { TensorScope } from './scope.ts'

interface ClientOptions {
  readonly trainable?: boolean
}

interface ClientGraphs<C extends ModelConfig> {
  embed(config: C, options?: ClientOptions): Graph
  enter(config: C, options?: ClientOptions): Graph | null
  head(config: C, options?: ClientOptions): Graph
  headLoss(config: C, options?: ClientOptions): Graph
}

export function clientGraphs<C extends ModelConfig>(description: FamilyDescription<C>): ClientGraphs<C> {
  /** Tensors become weights, or inputs where they are first used. */
  const contextOf = (g: GraphBuilder, config: C, { trainable = false }: ClientOptions): ClientContext<C> => {
    const known = new Map<string, Value>()
    const bind = (name: string, shape: readonly number[]): Value => {
      const value = known.get(name) ?? (trainable ? g.input(name, 'float32', shape) : g.weight(name, 'float32', shape))
      known.set(name, value)
      return value
    }
    return { g, config, scope: new TensorScope(g, clientTensorsOf(description, config), '', bind) }
  }

  const entered = (context: ClientContext<C>, states: Value): Value => {
    const { g, config } = context
    let positions: Value | undefined
    const declared = (): Value => {
      positions ??= g.input('positions', 'int64', ['batch', 'seq'])
      return positions
    }
    if (description.enter === undefined || description.enters?.(config) === false) return states
    return description.enter(context, states, declared)
  }

  const logitsOf = (context: ClientContext<C>): Value => {
    const { g, config, scope } = context
    const { head } = description.clientTensorNames(config)
    const hidden = g.input('hidden', 'float32', ['batch', 'seq', config.hiddenSize])
    const logits = g.FusedMatMul(description.leave(context, hidden), scope.tensor(head), { transB: true })
    return description.finish?.(context, logits) ?? logits
  }

  return {
    embed(config, options = {}) {
      const g = new GraphBuilder('embed')
      const ids = g.input('ids', 'int64', ['batch', 'seq'])
      const context = contextOf(g, config, options)
      const { embedding } = description.clientTensorNames(config)
      const rows = g.Gather(context.scope.tensor(embedding), ids, { axis: 0 })
      const scale = description.embeddingScale?.(config) ?? 1
      g.output('hidden', entered(context, scale === 1 ? rows : g.Mul(rows, g.constant(scale))))
      return g.build()
    },
    enter(config, options = {}) {
      const g = new GraphBuilder('enter')
      const width = description.embeddingWidth?.(config) ?? config.hiddenSize
      const states = g.input('states', 'float32', ['batch', 'seq', width])
      const hidden = entered(contextOf(g, config, options), states)
      if (hidden === states) return null
      g.output('hidden', hidden)
      return g.build()
    },
    head(config, options = {}) {
      const g = new GraphBuilder('head')
      g.output('logits', logitsOf(contextOf(g, config, options)))
      return g.build()
    },
    headLoss(config, options = {}) {
      const g = new GraphBuilder('head-loss')
      const logits = logitsOf(contextOf(g, config, options))
      const labels = g.input('labels', 'int64', ['batch', 'seq'])
      g.output('loss', nextTokenLoss(g, logits, labels))
      g.output('logits', logits)
      return g.build()
    }
  }
}
