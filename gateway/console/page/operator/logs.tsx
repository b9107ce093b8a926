// The gateway's latest log lines.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ShownLogLine } from '../../operator-schema.ts'
import { timeText } from '../format.ts'
import { Failure, SelectField } from '../parts/controls.tsx'
import { usePolled } from '../parts/poll.ts'
import { Scroll } from '../parts/table.tsx'

const levels = ['info', 'warn', 'error'] as const
const marks = { debug: '·', info: '·', warn: '▲', error: '✕' } as const

export function Logs(): JSX.Element {
  const { found, failure, again } = usePolled<{ lines: ShownLogLine[] }>('/console/api/logs')
  const [least, setLeast] = useState<string>('info')
  const shown = levels.slice(levels.indexOf(least as (typeof levels)[number])) as readonly string[]
  const lines = (found?.lines ?? []).filter(({ level }) => shown.includes(level)).toReversed()
  return (
    <section class="card stack" aria-label="Logs">
      <div class="row spread wrap">
        <h2>Logs</h2>
        <div class="filter">
          <SelectField
            label="Level"
            value={least}
            options={levels.map(level => ({ value: level, text: level }))}
            onValue={setLeast}
          />
        </div>
      </div>
      {failure !== null && <Failure text={failure} onRetry={again} />}
      {found !== null && lines.length === 0 && <p class="muted">Nothing has been logged since the gateway started.</p>}
      {lines.length > 0 && (
        <Scroll label="Log lines" class="log">
          <ol>
            {lines.map(({ number, time, level, message, fields }) => (
              <li key={number} data-level={level}>
                <span class="muted">{timeText(time)}</span>{' '}
                <span class="level">
                  {marks[level]} {level}
                </span>{' '}
                {message} <span class="muted">{fields}</span>
              </li>
            ))}
          </ol>
        </Scroll>
      )}
    </section>
  )
}
