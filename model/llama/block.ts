// One block of the Llama family, whatever attention it is given: norm, attention, norm, gated MLP, each added to its input.
// arXiv 2302.13971, section 2.2.
import type { GraphBuilder } from '../../graph/builder.ts'
import type { Value } from '../../graph/graph.ts'
import type { ModelConfig } from '../config.ts'
import { linear } from '../layers/linear.ts'
import { swiglu } from '../layers/mlp.ts'
import type { BlockPorts } from '../ports.ts'
import type { ModuleName } from './config.ts'
import { blockTensors, moduleWeightName } from './tensors.ts'

/** Query, key and value of a block before rotary embedding, each [batch, seq, heads * headDim]. */
export interface Projections {
  readonly query: Value
  readonly key: Value
  readonly value: Value
}

/** Mixes tokens: returns [batch, seq, numHeads * headDim]. */
export type Attend = (projections: Projections) => Value

/** hidden [batch, seq, hidden] -> the same. `ports` without its prompt and prefix, which the caller applies. */
export function llamaBlock(
  g: GraphBuilder,
  config: ModelConfig,
  block: number,
  hidden: Value,
  ports: BlockPorts,
  attend: Attend
): Value {
  const shapes = new Map(blockTensors(config, block).map(({ name, shape }) => [name, shape]))
  const weight = (path: string): Value | undefined => {
    const name = moduleWeightName(block, path)
    const shape = shapes.get(name)
    return shape && g.weight(name, 'float32', shape)
  }
  const norm = (x: Value, name: string): Value =>
    g.SimplifiedLayerNormalization(x, weight(`${name}.weight`)!, { epsilon: config.normEpsilon })
  const project = (x: Value, name: ModuleName): Value =>
    linear(g, x, { weight: weight(`${name}.weight`)!, bias: weight(`${name}.bias`) }, ports.lora.get(name))

  const normed = norm(hidden, 'input_layernorm')
  const mixed = attend({
    query: project(normed, 'self_attn.q_proj'),
    key: project(normed, 'self_attn.k_proj'),
    value: project(normed, 'self_attn.v_proj')
  })
  const attended = g.Add(hidden, project(mixed, 'self_attn.o_proj'))
  const gated = norm(attended, 'post_attention_layernorm')
  const activated = swiglu(g, project(gated, 'mlp.gate_proj'), project(gated, 'mlp.up_proj'))
  return g.Add(attended, project(activated, 'mlp.down_proj'))
}
