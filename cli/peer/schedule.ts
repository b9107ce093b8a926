// When a server serves: hours of the day, local time. Pure but for the timer of `follow`.

import { InvalidArgumentError } from 'commander'
import { onAbort } from '../../common/async.ts'
import { minute } from '../../common/units.ts'

/** Minutes since midnight, half-open; `end` before `start`: over midnight. */
export interface Hours {
  readonly start: number
  readonly end: number
}

const dayMinutes = 24 * 60

function parseTime(text: string): number {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text.trim())
  const [hours, minutes] = [Number(match?.[1]), Number(match?.[2])]
  if (match === null || hours > 24 || minutes > 59 || hours * 60 + minutes > dayMinutes) {
    throw new InvalidArgumentError(`expected times such as 22:00, found '${text}'`)
  }
  return (hours * 60 + minutes) % dayMinutes
}

/** `22:00-06:00`, or several with commas between. */
export function parseSchedule(text: string): readonly Hours[] {
  return text.split(',').map(part => {
    const [start, end, ...more] = part.split('-')
    if (start === undefined || end === undefined || more.length > 0) {
      throw new InvalidArgumentError(`expected hours such as 22:00-06:00, found '${part}'`)
    }
    const hours = { start: parseTime(start), end: parseTime(end) }
    if (hours.start === hours.end) throw new InvalidArgumentError(`expected two different times, found '${part}'`)
    return hours
  })
}

/** Whether a time of the day, in minutes since midnight, is in one of the hours. */
export function isWithin(schedule: readonly Hours[], time: number): boolean {
  return schedule.some(({ start, end }) => (start < end ? start <= time && time < end : start <= time || time < end))
}

/** Calls back with whether it is time to serve: at once, and whenever that changes, until the signal aborts. */
export function followSchedule(
  schedule: readonly Hours[],
  { signal, now = () => new Date() }: { signal: AbortSignal; now?: () => Date },
  tell: (isTime: boolean) => void
): void {
  let last: boolean | undefined
  const look = (): void => {
    const date = now()
    const isTime = isWithin(schedule, date.getHours() * 60 + date.getMinutes())
    if (isTime !== last) tell(isTime)
    last = isTime
  }
  look()
  // clocks are set and machines sleep: looking often is simpler than counting
  const timer = setInterval(look, minute / 4)
  timer.unref()
  onAbort(signal, () => clearInterval(timer))
}
