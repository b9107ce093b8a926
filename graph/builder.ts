// Builds a graph with all operators of the table, each checked where it is written.
import type { Graph } from './graph.ts'
import { OperatorBuilder } from './operator-builder.ts'
import { operatorOf } from './ops/index.ts'

export class GraphBuilder extends OperatorBuilder {
  /** @param from start with everything of an existing graph but its outputs */
  constructor(name: string, from?: Graph) {
    super(operatorOf, name, from)
  }
}
