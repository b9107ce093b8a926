// Learning rate over the steps of a run, under the names of Hugging Face's lr_scheduler_type (transformers/optimization.py)
// and, for WarmupLR, DeepSpeed's (deepspeed/runtime/lr_schedules.py). Pure: any step can be asked for.

import { SwarmError } from '../../common/errors.ts'
import { checkOptions } from '../../common/options.ts'

export interface ScheduleSettings {
  /** the rate after the warm-up */
  readonly learningRate: number
  /** number of warm-up steps, over which the rate rises to `learningRate` */
  readonly warmupSteps: number
  /** steps of the whole run, warm-up included */
  readonly totalSteps: number
  readonly kwargs?: ScheduleKwargs
}

/** What only some schedules read. */
export interface ScheduleKwargs {
  /** cosine: waves, default 0.5; cosine_with_restarts: restarts, default 1 */
  readonly numCycles?: number
  /** polynomial: exponent, default 1 */
  readonly power?: number
  /** polynomial: the rate at the end, default 1e-7 */
  readonly lrEnd?: number
  /** inverse_sqrt: steps after which the rate has fallen to 0.7 of itself, default the warm-up, or 10,000 without one */
  readonly timescale?: number
  /** cosine_with_min_lr: the lowest rate, default 0 */
  readonly minLr?: number
  /** cosine_with_min_lr: the lowest rate as a share of the highest, instead of `minLr` */
  readonly minLrRate?: number
  /** WarmupLR: where it starts, default 0 */
  readonly warmupMinLr?: number
  /** WarmupLR: how it rises, default 'log' */
  readonly warmupType?: 'log' | 'linear'
}

/** Throws INVALID_ARGUMENT for a name that no schedule reads. */
export function checkScheduleKwargs(what: string, kwargs: ScheduleKwargs | undefined): void {
  checkOptions(what, kwargs, {
    numCycles: true,
    power: true,
    lrEnd: true,
    timescale: true,
    minLr: true,
    minLrRate: true,
    warmupMinLr: true,
    warmupType: true
  })
}

/** Share of the learning rate after the warm-up; `progress` runs from 0 to 1 over the rest of the run. */
type Shape = (
  progress: number,
  kwargs: ScheduleKwargs,
  learningRate: number,
  place: { readonly step: number; readonly warmupSteps: number }
) => number

const wave = (turns: number): number => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * turns)))

const afterWarmup = {
  constant_with_warmup: () => 1,
  linear: progress => Math.max(0, 1 - progress),
  cosine: (progress, { numCycles = 0.5 }) => wave(2 * numCycles * progress),
  cosine_with_restarts: (progress, { numCycles = 1 }) => (progress >= 1 ? 0 : wave((numCycles * progress) % 1)),
  polynomial(progress, { power = 1, lrEnd = 1e-7 }, learningRate) {
    const left = Math.max(0, 1 - progress) ** power
    return ((learningRate - lrEnd) * left + lrEnd) / learningRate
  },
  inverse_sqrt(_progress, { timescale }, _learningRate, { step, warmupSteps }) {
    const scale = timescale ?? (warmupSteps || 10_000)
    return 1 / Math.sqrt((step + scale - warmupSteps) / scale)
  },
  cosine_with_min_lr(progress, { numCycles = 0.5, minLr = 0, minLrRate }, learningRate) {
    const least = minLrRate ?? (learningRate === 0 ? 0 : minLr / learningRate)
    const share = 0.5 * (1 + Math.cos(2 * Math.PI * numCycles * progress))
    return Math.max(0, share * (1 - least) + least)
  }
} as const satisfies Record<string, Shape>

/** Names that `lrSchedulerType` takes. */
export const scheduleNames = ['constant', ...Object.keys(afterWarmup), 'WarmupLR'] as readonly ScheduleName[]
/** How the learning rate goes over a run. */
export type ScheduleName = 'constant' | 'WarmupLR' | keyof typeof afterWarmup

/**
 * DeepSpeed's scheduler steps after the optimizer and counts from -1, so its first two steps have the lowest rate, and
 * step k has `log(k) / log(warmupSteps)` of the way.
 */
function warmupLR(step: number, { learningRate, warmupSteps, kwargs = {} }: ScheduleSettings): number {
  const { warmupMinLr = 0, warmupType = 'log' } = kwargs
  const steps = Math.max(2, warmupSteps)
  const iteration = step - 1
  if (iteration >= steps) return learningRate
  const rise = warmupType === 'log' ? Math.log(Math.max(1, iteration + 1)) / Math.log(steps) : iteration / steps
  return warmupMinLr + (learningRate - warmupMinLr) * Math.max(0, rise)
}

/**
 * The learning rate of a step, counted from 0. Where a schedule has a warm-up its first step has rate 0; `constant` has
 * none, whatever `warmupSteps` says.
 */
export function learningRateAt(name: ScheduleName, step: number, settings: ScheduleSettings): number {
  checkOptions('learningRateAt', settings, { learningRate: true, warmupSteps: true, totalSteps: true, kwargs: true })
  checkScheduleKwargs('learningRateAt: kwargs', settings.kwargs)
  const { learningRate, warmupSteps, totalSteps, kwargs = {} } = settings
  if (!scheduleNames.includes(name)) {
    throw new SwarmError('INVALID_ARGUMENT', `schedule: expected one of ${scheduleNames.join(', ')}, found '${name}'`)
  }
  if (name === 'constant') return learningRate
  if (name === 'WarmupLR') return warmupLR(step, settings)
  if (step < warmupSteps) return (learningRate * step) / Math.max(1, warmupSteps)
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps)
  return learningRate * afterWarmup[name](progress, kwargs, learningRate, { step, warmupSteps })
}

/** Steps of warm-up: those that are named, else the ratio of the run, rounded up, as Hugging Face has it. */
export function warmupStepsOf(options: { warmupSteps?: number; warmupRatio?: number }, totalSteps: number): number {
  const { warmupSteps = 0, warmupRatio = 0 } = options
  return warmupSteps > 0 ? warmupSteps : Math.ceil(totalSteps * warmupRatio)
}

/** Whether a run's first steps would have other rates if the run were longer. */
export function dependsOnLength(name: ScheduleName, options: { warmupSteps?: number; warmupRatio?: number }): boolean {
  if (name === 'constant') return false
  const { warmupSteps = 0, warmupRatio = 0 } = options
  const isFlat = name === 'constant_with_warmup' || name === 'WarmupLR' || name === 'inverse_sqrt'
  return !isFlat || (warmupSteps === 0 && warmupRatio > 0)
}
