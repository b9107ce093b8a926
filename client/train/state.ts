// The state of a run: everything that its next step depends on, beside the parameters and the tuning method's state.
// Pure. The order of examples, dropout and the learning rate of a step follow from its number and the seed.
import type { OptimizerState } from '../optim/index.ts'
import type { LossScaleState } from './loss-scale.ts'

/** The evaluation that a run will be judged by. */
export interface BestEvaluation {
  readonly step: number
  readonly metric: number
}

export interface TrainingState {
  /** steps done: the cursor in the data, the place on the schedule, and with the seed the random state */
  readonly step: number
  /** steps of the whole run; a resumed run may have another length */
  readonly total: number
  readonly optimizer: OptimizerState
  readonly lossScale: LossScaleState
  /** the last step that was evaluated; 0 before the first */
  readonly evaluatedStep: number
  readonly best: BestEvaluation | null
  /** evaluations since the last one that was better by the threshold */
  readonly withoutImprovement: number
}

export interface StoppingRule {
  /** larger is better, as of an accuracy; default false, as of a loss */
  readonly greaterIsBetter?: boolean
  /** evaluations in a row without improvement after which the run ends; default: no limit */
  readonly earlyStoppingPatience?: number
  /** an evaluation must be better than the best by more than this to count as improvement; default 0 */
  readonly earlyStoppingThreshold?: number
}

/** The state after an evaluation. As in Hugging Face's EarlyStoppingCallback, the threshold counts for patience only. */
export function judged(state: TrainingState, metric: number, rule: StoppingRule): TrainingState {
  const { greaterIsBetter = false, earlyStoppingThreshold = 0 } = rule
  const { step, best } = state
  const better = (greaterIsBetter ? 1 : -1) * (metric - (best?.metric ?? metric))
  const gain = best === null && !Number.isNaN(metric) ? Infinity : better
  return {
    ...state,
    evaluatedStep: step,
    best: gain > 0 ? { step, metric } : best,
    withoutImprovement: gain > earlyStoppingThreshold ? 0 : state.withoutImprovement + 1
  }
}

/** Whether patience is exhausted. */
export function stopsEarly(state: TrainingState, { earlyStoppingPatience = Infinity }: StoppingRule): boolean {
  return state.withoutImprovement >= earlyStoppingPatience
}
