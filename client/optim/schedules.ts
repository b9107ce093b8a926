// Learning rate over the steps of a run, as Hugging Face's schedules of the same names define it
// (transformers/optimization.py: get_constant_schedule_with_warmup, get_linear_…, get_cosine_…). Pure.

export interface ScheduleSettings {
  /** the rate after the warm-up */
  readonly learningRate: number
  /** the rate rises from 0 to `learningRate` over so many steps */
  readonly warmupSteps: number
  /** steps of the whole run, warm-up included */
  readonly totalSteps: number
}

export type ScheduleName = 'constant' | 'linear' | 'cosine'

/** Share of the learning rate after the warm-up; `progress` runs from 0 to 1 over the rest of the run. */
const shapes = {
  constant: () => 1,
  linear: progress => Math.max(0, 1 - progress),
  cosine: progress => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)))
} as const satisfies Record<ScheduleName, (progress: number) => number>

export const scheduleNames = Object.keys(shapes) as ScheduleName[]

/** The learning rate of a step, counted from 0: the first step of a run with warm-up has rate 0, as in Hugging Face. */
export function learningRateAt(name: ScheduleName, step: number, settings: ScheduleSettings): number {
  const { learningRate, warmupSteps, totalSteps } = settings
  if (step < warmupSteps) return (learningRate * step) / Math.max(1, warmupSteps)
  return learningRate * shapes[name]((step - warmupSteps) / Math.max(1, totalSteps - warmupSteps))
}
