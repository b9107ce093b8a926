// The curves of several runs over each other.
import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { Chart, type Curve } from '../parts/chart.tsx'
import type { Metrics } from './runs.ts'
import { type Job, type MetricsLine, runName } from './types.ts'

interface Measure {
  readonly title: string
  readonly name: string
  /** points of evaluations in the same chart */
  readonly evaluation?: string
}

const measures: readonly Measure[] = [
  { title: 'Loss', name: 'loss', evaluation: 'eval_loss' },
  { title: 'Learning rate', name: 'learning_rate' },
  { title: 'Gradient norm', name: 'grad_norm' },
  { title: 'Tokens per second', name: 'tokens_per_second' }
]

function valuesAt(lines: readonly MetricsLine[], name: string, steps: readonly number[]): (number | null)[] {
  const found = new Map(
    lines.flatMap(line => (typeof line[name] === 'number' ? [[line.step, line[name]] as const] : []))
  )
  return steps.map(step => found.get(step) ?? null)
}

interface CurvesProps {
  readonly jobs: readonly Job[]
  readonly metrics: Metrics
}

export function Curves({ jobs, metrics }: CurvesProps): JSX.Element {
  const drawn = useMemo(() => {
    const lines = jobs.map(job => metrics.get(job.id) ?? [])
    const steps = [...new Set(lines.flat().map(({ step }) => step))].sort((a, b) => a - b)
    return measures.map(({ title, name, evaluation }) => ({
      title,
      steps,
      curves: jobs.flatMap((job, at): Curve[] => {
        const label = jobs.length > 1 ? runName(job) : title.toLowerCase()
        const line: Curve = { label, values: valuesAt(lines[at]!, name, steps), hue: at + 1, look: 'joined' }
        const points = evaluation === undefined ? [] : valuesAt(lines[at]!, evaluation, steps)
        if (points.every(value => value === null)) return [line]
        return [line, { label: `${label}, evaluation`, values: points, hue: at + 1, look: 'points' }]
      })
    }))
  }, [jobs, metrics])
  return (
    <div class="charts">
      {drawn.map(({ title, steps, curves }) => (
        <Chart key={title} title={title} x={steps} curves={curves} isTime={false} height={220} />
      ))}
    </div>
  )
}
