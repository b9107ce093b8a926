// The latest requests, and usage by day. No content of any request is kept.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { AnsweredRequest, DailyUsage, Key } from '../../operator-schema.ts'
import { durationText, timeText } from '../format.ts'
import { Failure, Field } from '../parts/controls.tsx'
import { usePolled } from '../parts/poll.ts'
import { Scroll, TableHead } from '../parts/table.tsx'

/** how many are drawn */
const mostRows = 100

function statusText(status: number): string {
  if (status === 499) return '◌ left early'
  return status < 400 ? `✓ ${status}` : `▲ ${status}`
}

export function Requests(): JSX.Element {
  const { found, failure, again } = usePolled<{ requests: AnsweredRequest[]; usage: DailyUsage[] }>(
    '/console/api/requests'
  )
  const { found: known } = usePolled<{ keys: Key[] }>('/console/api/keys')
  const [filter, setFilter] = useState('')
  const nameOf = (id: string | null): string =>
    id === null ? '–' : (known?.keys.find(key => key.id === id)?.name ?? id)
  const text = filter.trim().toLowerCase()
  const rows = (found?.requests ?? []).filter(
    ({ path, model, status, code, keyId, id }) =>
      text === '' ||
      [path, model, String(status), code, nameOf(keyId), id].some(each => each?.toLowerCase().includes(text))
  )
  return (
    <>
      <section class="card stack" aria-label="Requests">
        <div class="row spread wrap">
          <h2>Requests</h2>
          <div class="filter">
            <Field label="Filter">
              {id => (
                <input id={id} value={filter} onInput={event => setFilter(event.currentTarget.value)} type="search" />
              )}
            </Field>
          </div>
        </div>
        {failure !== null && <Failure text={failure} onRetry={again} />}
        {found !== null && rows.length === 0 && (
          <p class="muted">No request {text === '' ? 'yet' : 'fits the filter'}.</p>
        )}
        {rows.length > 0 && (
          <Scroll label="Table of requests">
            <table>
              <TableHead
                columns={[
                  'Time',
                  'Key',
                  'Request',
                  'Model',
                  'Status',
                  { title: 'Tokens in', look: 'number' },
                  { title: 'Out', look: 'number' },
                  { title: 'First token', look: 'number' },
                  { title: 'Whole', look: 'number' }
                ]}
              />
              <tbody>
                {rows.slice(0, mostRows).map(row => (
                  <tr key={row.id} data-failed={row.status >= 400 && row.status !== 499}>
                    <td class="mono">{timeText(row.time)}</td>
                    <td>{nameOf(row.keyId)}</td>
                    <td class="mono" title={row.id}>
                      {row.method} {row.path}
                    </td>
                    <td>{row.model ?? '–'}</td>
                    <td class="nowrap">
                      {statusText(row.status)} {row.code !== null && row.status !== 499 && row.code}
                    </td>
                    <td class="number">{row.promptTokens}</td>
                    <td class="number">{row.completionTokens}</td>
                    <td class="number">{row.firstTokenMs === null ? '–' : durationText(row.firstTokenMs)}</td>
                    <td class="number">{durationText(row.durationMs)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        )}
      </section>
      {found !== null && found.usage.length > 0 && (
        <section class="card stack" aria-label="Usage">
          <h2>Usage by day</h2>
          <Scroll label="Table of usage">
            <table>
              <TableHead
                columns={[
                  'Day',
                  'Key',
                  'Model',
                  { title: 'Requests', look: 'number' },
                  { title: 'Errors', look: 'number' },
                  { title: 'Tokens in', look: 'number' },
                  { title: 'Out', look: 'number' }
                ]}
              />
              <tbody>
                {found.usage.map(({ day, keyId, model, requests, errors, promptTokens, completionTokens }) => (
                  <tr key={`${day}/${keyId}/${model}`}>
                    <td class="mono">{day}</td>
                    <td>{nameOf(keyId)}</td>
                    <td>{model ?? '–'}</td>
                    <td class="number">{requests.toLocaleString('en')}</td>
                    <td class="number">{errors.toLocaleString('en')}</td>
                    <td class="number">{promptTokens.toLocaleString('en')}</td>
                    <td class="number">{completionTokens.toLocaleString('en')}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </section>
      )}
    </>
  )
}
