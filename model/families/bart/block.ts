// One block of BART: attention, in a decoder attention to the encoder, and a feed-forward layer, each added to its input, with norms
// after the sums, or in mBART before the layers. arXiv 1910.13461, section 2.1; 2001.08210, section 2.2.
import type { Value } from '../../../graph/graph.ts'
import { stackOf } from '../../config/config.ts'
import type { Projections } from '../../layers/attention.ts'
import { activate } from '../../layers/mlp.ts'
import type { BlockContext } from '../../spans/description.ts'
import type { BartConfig } from './config.ts'

/** hidden [batch, seq, hidden] -> the same */
export function bartBlock(context: BlockContext<BartConfig>, hidden: Value): Value {
  const { g, config, scope, attend, attendCross } = context
  const { normEpsilon: epsilon, traits } = config
  const added = (x: Value, norm: string, layer: (x: Value) => Value): Value =>
    traits.normFirst
      ? g.Add(x, layer(scope.layerNorm(x, norm, { epsilon })))
      : scope.layerNorm(g.Add(x, layer(x)), norm, { epsilon })
  const attended = added(hidden, 'self_attn_layer_norm', x => {
    const [query, key, value] = ['q', 'k', 'v'].map(part => scope.linear(x, `self_attn.${part}_proj`))
    return scope.linear(attend({ query: query!, key: key!, value: value! }), 'self_attn.out_proj')
  })
  const informed = stackOf(config, scope.block).crosses
    ? added(attended, 'encoder_attn_layer_norm', x =>
        scope.linear(attendCross(scope.linear(x, 'encoder_attn.q_proj')), 'encoder_attn.out_proj')
      )
    : attended
  return added(informed, 'final_layer_norm', x =>
    scope.linear(activate(g, traits.activation, scope.linear(x, 'fc1')), 'fc2')
  )
}

/** Keys and values of the encoder's states [batch, source, hidden]. */
export function bartCrossProjections(
  { scope }: Pick<BlockContext<BartConfig>, 'scope'>,
  encoderHidden: Value
): Pick<Projections, 'key' | 'value'> {
  return {
    key: scope.linear(encoderHidden, 'encoder_attn.k_proj'),
    value: scope.linear(encoderHidden, 'encoder_attn.v_proj')
  }
}
