// The graphs that a client computes itself: embedding before the first block; norm, head and loss after the last.
import { SwarmError } from '../../common/errors.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph, Value } from '../../graph/graph.ts'
import { type ModelConfig, type Stack, stackNamed } from '../config/config.ts'
import type { ExpectedTensor, LossOptions, TaskGraphOptions } from '../family.ts'
import { TensorScope } from '../layers/scope.ts'
import type { ClientContext, FamilyDescription } from './description.ts'
import { clientTensorsOf } from './expected-tensors.ts'
import { crossEntropy, headLossOf, nextTokenLoss } from './loss.ts'

interface ClientOptions {
  readonly trainable?: boolean
  readonly stack?: Stack['name']
}

/** Where hidden states enter a model, and where they leave it. */
const firstStack = (config: ModelConfig): Stack['name'] => (stackNamed(config, 'encoder') ? 'encoder' : 'decoder')
const lastStack = (config: ModelConfig): Stack['name'] => (stackNamed(config, 'decoder') ? 'decoder' : 'encoder')

/** Graphs are told apart by their names. */
const stackName = ({ stack }: ClientOptions): string => (stack === undefined ? '' : ` ${stack}`)

interface ClientGraphs<C extends ModelConfig> {
  embed(config: C, options?: ClientOptions): Graph
  enter(config: C, options?: ClientOptions): Graph | null
  head(config: C, options?: ClientOptions): Graph
  headLoss(config: C, options?: LossOptions): Graph
  features(config: C, options?: ClientOptions): Graph
  taskGraph(config: C, options: TaskGraphOptions): Graph
}

const smoothingName = (share: number): string => (share === 0 ? '' : ` smoothed ${share}`)

export function clientGraphs<C extends ModelConfig>(description: FamilyDescription<C>): ClientGraphs<C> {
  /** Tensors become weights, or inputs where they are first used. */
  const contextOf = (
    g: GraphBuilder,
    config: C,
    { trainable = false, stack = lastStack(config) }: ClientOptions,
    more: readonly ExpectedTensor[] = []
  ): ClientContext<C> => {
    const known = new Map<string, Value>()
    const bind = (name: string, shape: readonly number[]): Value => {
      const value = known.get(name) ?? (trainable ? g.input(name, 'float32', shape) : g.weight(name, 'float32', shape))
      known.set(name, value)
      return value
    }
    const tensors = [...clientTensorsOf(description, config), ...more]
    return { g, config, stack, scope: new TensorScope(g, tensors, '', bind) }
  }

  const entered = (context: ClientContext<C>, states: Value): Value => {
    const { g, config } = context
    const declared = new Map<string, Value>()
    const input = (name: string) => (): Value => {
      const value = declared.get(name) ?? g.input(name, 'int64', ['batch', 'seq'])
      declared.set(name, value)
      return value
    }
    if (description.enter === undefined || description.enters?.(config) === false) return states
    return description.enter(context, states, input('positions'), input('types'))
  }

  const left = (context: ClientContext<C>): Value =>
    description.leave(context, context.g.input('hidden', 'float32', ['batch', 'seq', context.config.hiddenSize]))

  const logitsOf = (context: ClientContext<C>): Value => {
    const { g, config, scope } = context
    const { head } = description.clientTensorNames(config)
    const states = left(context)
    const scaled = description.beforeHead?.(context, states) ?? states
    const logits = g.FusedMatMul(scaled, scope.tensor(head), { transB: true })
    return description.finish?.(context, logits) ?? logits
  }

  return {
    embed(config, options = {}) {
      const g = new GraphBuilder(`embed${stackName(options)}`)
      const ids = g.input('ids', 'int64', ['batch', 'seq'])
      const context = contextOf(g, config, { stack: firstStack(config), ...options })
      const { embedding } = description.clientTensorNames(config)
      const rows = g.Gather(context.scope.tensor(embedding), ids, { axis: 0 })
      const scale = description.embeddingScale?.(config) ?? 1
      g.output('hidden', entered(context, scale === 1 ? rows : g.Mul(rows, g.constant(scale))))
      return g.build()
    },
    enter(config, options = {}) {
      const g = new GraphBuilder(`enter${stackName(options)}`)
      const width = description.embeddingWidth?.(config) ?? config.hiddenSize
      const states = g.input('states', 'float32', ['batch', 'seq', width])
      const hidden = entered(contextOf(g, config, { stack: firstStack(config), ...options }), states)
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
      const { labelSmoothing = 0 } = options
      const g = new GraphBuilder(`head-loss${smoothingName(labelSmoothing)}`)
      const logits = logitsOf(contextOf(g, config, options))
      const labels = g.input('labels', 'int64', ['batch', 'seq'])
      const loss = stackNamed(config, 'decoder')?.crosses ? crossEntropy : nextTokenLoss
      g.output('loss', loss(g, logits, labels, labelSmoothing))
      g.output('logits', logits)
      return g.build()
    },
    features(config, options = {}) {
      const g = new GraphBuilder(`features${stackName(options)}`)
      g.output('states', g.Identity(left(contextOf(g, config, options))))
      return g.build()
    },
    taskGraph(config, { task, classes, dropout = false, loss, labelSmoothing = 0 }) {
      const head = description.taskHead?.(config, task)
      if (!head) throw new SwarmError('INTERNAL', `${config.modelType}: no head for ${task}`)
      const variant = [dropout ? ' dropout' : '', loss ? ` ${loss}${smoothingName(labelSmoothing)}` : ''].join('')
      const g = new GraphBuilder(`${task} ${classes}${variant}`)
      const context = contextOf(g, config, { trainable: true, stack: head.stack }, head.tensors(config, classes))
      const all = left(context)
      const states = head.takes === 'mean' ? g.MatMul(g.input('share', 'float32', ['batch', 1, 'seq']), all) : all
      let places = 0
      const drop = (x: Value): Value => {
        if (!dropout) return x
        const name = places === 0 ? 'dropout' : `dropout.${places}`
        places += 1
        return g.Mul(x, g.input(name, 'float32', x.shape))
      }
      const logits = head.logits({ ...context, classes, drop }, states)
      if (loss !== undefined) g.output('loss', headLossOf(g, loss, logits, labelSmoothing))
      g.output('logits', logits)
      return g.build()
    }
  }
}
