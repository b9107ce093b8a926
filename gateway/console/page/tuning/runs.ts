// The runs, and the metrics of those that are shown, live.
import { useEffect, useState } from 'preact/hooks'
import { events } from '../api.ts'
import { usePolled } from '../parts/poll.ts'
import { isOver, type Job, type MetricsLine } from './types.ts'

/** pause before a stream that broke off is opened again, in milliseconds */
const againMs = 3000

export interface Jobs {
  readonly jobs: readonly Job[] | null
  readonly failure: string | null
  readonly reload: () => void
  /** puts a job that was changed here into the list */
  readonly put: (job: Job) => void
}

export function useJobs(): Jobs {
  const { found, failure, again, change } = usePolled<{ data: readonly Job[] }>('/v1/fine_tuning/jobs?limit=100')
  return {
    jobs: found?.data ?? null,
    failure,
    reload: again,
    put: job => change(known => ({ data: [job, ...(known?.data ?? []).filter(({ id }) => id !== job.id)] }))
  }
}

export type Metrics = ReadonlyMap<string, readonly MetricsLine[]>

/** Metrics of these runs, by id; each is followed while it is shown. `onJob` gets a run that has changed. */
export function useMetrics(ids: readonly string[], onJob: (job: Job) => void): Metrics {
  const [metrics, setMetrics] = useState<Metrics>(new Map())
  const shown = ids.join(' ')
  useEffect(() => {
    const leaving = new AbortController()
    const { signal } = leaving
    const follow = async (id: string): Promise<void> => {
      while (!signal.aborted) {
        let last: Job | null = null
        try {
          setMetrics(known => new Map([...known, [id, []]]))
          for await (const { event, data } of events(`/v1/fine_tuning/jobs/${id}/metrics?stream=true`, signal)) {
            if (event === 'job') {
              last = JSON.parse(data) as Job
              onJob(last)
            } else if (event === 'metrics') {
              const line = JSON.parse(data) as MetricsLine
              setMetrics(known => new Map([...known, [id, [...(known.get(id) ?? []), line]]]))
            } else if (event === 'resumed') {
              const { step } = JSON.parse(data) as { step: number }
              setMetrics(known => new Map([...known, [id, (known.get(id) ?? []).filter(line => line.step <= step)]]))
            }
          }
          if (last !== null && isOver(last)) return
        } catch {
          // the list tells what is wrong; the stream is opened again
          if (signal.aborted) return
        }
        await new Promise(resolve => setTimeout(resolve, againMs))
      }
    }
    for (const id of shown.split(' ')) if (id !== '') void follow(id)
    return () => leaving.abort()
  }, [shown])
  return metrics
}
