// A JSON answer that the page asks for again every few seconds while it is shown.
import { useEffect, useState } from 'preact/hooks'
import { getJson, sentenceOf } from '../api.ts'

const everyMs = 3000

export interface Polled<T> {
  readonly found: T | null
  readonly failure: string | null
  /** asks at once */
  readonly again: () => void
  /** puts a change that was made here into the answer, until the next one comes */
  readonly change: (by: (known: T | null) => T) => void
}

export function usePolled<T>(path: string): Polled<T> {
  const [found, setFound] = useState<T | null>(null)
  const [failure, setFailure] = useState<string | null>(null)
  const [round, setRound] = useState(0)
  useEffect(() => {
    const leaving = new AbortController()
    const ask = (): void => {
      getJson<T>(path, leaving.signal).then(
        answer => {
          setFound(answer)
          setFailure(null)
        },
        (error: unknown) => {
          if (!leaving.signal.aborted) setFailure(sentenceOf(error))
        }
      )
    }
    ask()
    const timer = setInterval(ask, everyMs)
    return () => {
      clearInterval(timer)
      leaving.abort()
    }
  }, [path, round])
  return { found, failure, again: () => setRound(round + 1), change: setFound }
}
