// What a run has measured: lines of metrics.jsonl, one object for each logged step and each evaluation. Pure.
import { parseForeignJson } from '../../../common/foreign-json.ts'
import type { TrainingProgress } from '../options.ts'

/** Names as Hugging Face's trainer logs them. A line of training has `loss`; a line of an evaluation `eval_loss` and others. */
export interface MetricsLine {
  /** optimizer steps done */
  readonly step: number
  /** passes over the examples, with fractions */
  readonly epoch: number
  readonly [name: string]: number | string | null
}

/** Steps since the last line, as one: the loss is their mean. */
export function trainingLine(steps: readonly TrainingProgress[], time: string): MetricsLine {
  const last = steps.at(-1)!
  return {
    step: last.step,
    epoch: last.epoch,
    loss: steps.reduce((sum, { loss }) => sum + loss, 0) / steps.length,
    learning_rate: last.learningRate,
    grad_norm: Number.isFinite(last.gradNorm) ? last.gradNorm : null,
    loss_scale: last.lossScale,
    tokens_per_second: last.tokensPerSecond,
    ...(last.traffic && { peers: last.traffic.peers, retries: last.traffic.retries }),
    time
  }
}

/** Null where the step was not evaluated. */
export function evaluationLine({ step, epoch, evaluation }: TrainingProgress, time: string): MetricsLine | null {
  if (evaluation === undefined) return null
  const named = Object.entries(evaluation).map(([name, value]) => [`eval_${name}`, value] as const)
  return { step, epoch, ...Object.fromEntries(named), time }
}

export function formatMetrics(lines: readonly MetricsLine[]): string {
  return lines.map(line => `${JSON.stringify(line)}\n`).join('')
}

/** The lines of a file; one that a killed process left half written is passed over. */
export function parseMetrics(text: string): MetricsLine[] {
  return text.split('\n').flatMap(line => {
    if (line === '') return []
    try {
      return parseForeignJson(line) as MetricsLine
    } catch {
      return []
    }
  })
}

/** `[step, value]` of the lines that have a number under the name. */
export function series(lines: readonly MetricsLine[], name: string): [number, number][] {
  return lines.flatMap(line => (typeof line[name] === 'number' ? [[line.step, line[name]] as [number, number]] : []))
}
