// The encoders that the shared suite of encoders runs, with what scripts/reference/<family>.py computed of them by PyTorch, and their
// heads as graphs.
import { GraphBuilder } from '../../../graph/builder.ts'
import type { Graph, Value } from '../../../graph/graph.ts'
import type { ModelConfig } from '../../../model/config/config.ts'
import type { Family, HeadDescription, HeadTask } from '../../../model/family.ts'
import { TensorScope } from '../../../model/layers/scope.ts'

/** By family: names under test/reference/families. A new family is a row. */
export const encoderModels = {
  bert: ['bert', 'bert-odd'],
  roberta: ['roberta', 'roberta-odd', 'xlm-roberta'],
  electra: ['electra', 'electra-odd'],
  distilbert: ['distilbert', 'distilbert-odd'],
  mpnet: ['mpnet', 'mpnet-odd'],
  modernbert: ['modernbert', 'modernbert-odd'],
  'deberta-v2': ['deberta-v3', 'deberta-v2-own', 'deberta-v2-one', 'deberta-v2-none']
} as const

export const headTasks: readonly HeadTask[] = ['MASKED_LM', 'SEQ_CLS', 'TOKEN_CLS', 'QUESTION_ANS']

/** `hidden` [batch, positions, width], tensors -> `logits`; without dropout. */
export function headGraph(
  { family, config }: { family: Family; config: ModelConfig },
  head: HeadDescription,
  classes: number
): Graph {
  const g = new GraphBuilder('head')
  const hidden = g.input('hidden', 'float32', ['batch', 'seq', family.featureWidth(config)])
  const known = new Map<string, Value>()
  const bind = (name: string, shape: readonly number[]): Value => {
    const value = known.get(name) ?? g.input(name, 'float32', shape)
    known.set(name, value)
    return value
  }
  const tensors = [...family.clientTensors(config), ...head.tensors(config, classes)]
  const scope = new TensorScope(g, tensors, '', bind)
  g.output('logits', head.logits({ g, config, scope, classes, drop: x => x }, hidden))
  return g.build()
}
