// The runs, and the metrics of those that are shown, live.
import { useEffect, useState } from 'preact/hooks'
import { events, getJson, sentenceOf } from '../api.ts'
import { isOver, type Job, type MetricsLine } from './types.ts'

/** the list is asked for again after this time, in milliseconds */
const listMs = 4000
const againMs = 3000

export interface Jobs {
  readonly jobs: readonly Job[] | null
  readonly failure: string | null
  readonly reload: () => void
  /** puts a job that was changed here into the list */
  readonly put: (job: Job) => void
}

export function useJobs(): Jobs {
  const [jobs, setJobs] = useState<readonly Job[] | null>(null)
  const [failure, setFailure] = useState<string | null>(null)
  const [round, setRound] = useState(0)
  useEffect(() => {
    const leaving = new AbortController()
    const load = (): void => {
      getJson<{ data: Job[] }>('/v1/fine_tuning/jobs?limit=100', leaving.signal).then(
        ({ data }) => {
          setJobs(data)
          setFailure(null)
        },
        (error: unknown) => {
          if (!leaving.signal.aborted) setFailure(sentenceOf(error))
        }
      )
    }
    load()
    const timer = setInterval(load, listMs)
    return () => {
      clearInterval(timer)
      leaving.abort()
    }
  }, [round])
  return {
    jobs,
    failure,
    reload: () => setRound(round + 1),
    put: job => setJobs(known => [job, ...(known ?? []).filter(({ id }) => id !== job.id)])
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
