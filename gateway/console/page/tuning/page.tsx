// Fine-tuning: a new run, the runs there are, and the curves of those that are ticked.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { dateText } from '../format.ts'
import { Button, Failure, Notice } from '../parts/controls.tsx'
import { Scroll, TableHead } from '../parts/table.tsx'
import { Curves } from './curves.tsx'
import { NewRun } from './new-run.tsx'
import { JobState, RunView } from './run-view.tsx'
import { useJobs, useMetrics } from './runs.ts'
import { type Job, runName } from './types.ts'

/** curves of one chart are told apart by five hues */
const mostShown = 5

export function TuningPage(): JSX.Element {
  const { jobs, failure, reload, put } = useJobs()
  const [isNew, setIsNew] = useState(false)
  const [ticked, setTicked] = useState<readonly string[] | null>(null)
  // at first the newest run is shown
  const ids = ticked ?? (jobs ?? []).slice(0, 1).map(({ id }) => id)
  const shown = ids.flatMap(id => (jobs ?? []).find(job => job.id === id) ?? [])
  const update = (job: Job): void => put(job)
  const metrics = useMetrics(ids, update)
  const showsForm = isNew || jobs?.length === 0
  return (
    <div class="pad stack">
      <div class="row spread wrap">
        <h1>Fine-tuning</h1>
        {!showsForm && (
          <Button look="primary" icon="add" onClick={() => setIsNew(true)}>
            New run
          </Button>
        )}
      </div>
      {failure !== null && <Failure text={failure} onRetry={reload} />}
      {jobs === null && failure === null && <p class="muted">Asking for the runs…</p>}
      {showsForm && (
        <NewRun
          onStarted={job => {
            put(job)
            setTicked([job.id])
            setIsNew(false)
          }}
        />
      )}
      {jobs !== null && jobs.length > 0 && (
        <section class="card stack" aria-label="Runs">
          <h2>Runs</h2>
          <Scroll label="Table of runs">
            <table>
              <TableHead
                columns={['Show', 'Run', 'State', 'Base model', { title: 'Steps', look: 'number' }, 'Started']}
              />
              <tbody>
                {jobs.map(job => {
                  const at = ids.indexOf(job.id)
                  return (
                    <tr key={job.id}>
                      <td>
                        <input
                          type="checkbox"
                          aria-label={`Show ${runName(job)}`}
                          checked={at !== -1}
                          disabled={at === -1 && ids.length >= mostShown}
                          onChange={() => setTicked(at === -1 ? [...ids, job.id] : ids.filter(id => id !== job.id))}
                        />
                        {at !== -1 && <span class="swatch" data-hue={at + 1} aria-hidden="true" />}
                      </td>
                      <td>
                        <button type="button" class="link" onClick={() => setTicked([job.id])}>
                          {runName(job)}
                        </button>
                      </td>
                      <td>
                        <JobState job={job} />
                      </td>
                      <td>{job.model}</td>
                      <td class="number">
                        {job.swarmtune.step} / {job.swarmtune.total_steps}
                      </td>
                      <td>{dateText(job.created_at * 1000)}</td>
                    </tr>
                  )
                })}
              </tbody>
            </table>
          </Scroll>
          {ids.length >= mostShown && <Notice>Five runs can be compared at once. Untick one to show another.</Notice>}
        </section>
      )}
      {shown.length > 0 && (
        <section class="card" aria-label="Curves">
          <Curves jobs={shown} metrics={metrics} />
        </section>
      )}
      {shown.map(job => (
        <RunView
          key={job.id}
          job={job}
          lines={metrics.get(job.id) ?? []}
          onChange={update}
          onRemoved={() => {
            setTicked(null)
            reload()
          }}
        />
      ))}
    </div>
  )
}
