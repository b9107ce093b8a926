// One run: its state, what can be done with it, and what it has said.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { getFile, getJson, send, sentenceOf } from '../api.ts'
import { dateText, download, durationText, numberText, timeText } from '../format.ts'
import { Button, Failure } from '../parts/controls.tsx'
import { loadSession } from '../session.ts'
import { Figure } from './preview-view.tsx'
import { isOver, type Job, type JobEvent, type MetricsLine, runName, statuses } from './types.ts'

const textOf = (value: unknown): string => (typeof value === 'number' ? numberText(value) : '–')

const lastOf = (lines: readonly MetricsLine[], name: string): unknown =>
  lines.findLast(line => typeof line[name] === 'number')?.[name]

interface RunViewProps {
  readonly job: Job
  readonly lines: readonly MetricsLine[]
  readonly onChange: (job: Job) => void
  readonly onRemoved: () => void
}

export function RunView({ job, lines, onChange, onRemoved }: RunViewProps): JSX.Element {
  const { id, status, swarmtune, error, fine_tuned_model: model } = job
  const { step, total_steps: total } = swarmtune
  const [said, setSaid] = useState<readonly JobEvent[]>([])
  const [failure, setFailure] = useState<string | null>(null)
  useEffect(() => {
    const leaving = new AbortController()
    getJson<{ data: JobEvent[] }>(`/v1/fine_tuning/jobs/${id}/events?limit=50`, leaving.signal).then(
      ({ data }) => setSaid(data),
      () => undefined
    )
    return () => leaving.abort()
  }, [id, status, step])
  useEffect(() => {
    // the new model can be chosen in the chat
    if (status === 'succeeded') loadSession().catch(() => undefined)
  }, [status])
  const act = (verb: 'cancel' | 'pause' | 'resume'): void => {
    setFailure(null)
    send<Job>('POST', `/v1/fine_tuning/jobs/${id}/${verb}`).then(onChange, (cause: unknown) =>
      setFailure(sentenceOf(cause))
    )
  }
  const save = (path: string, name: string): void => {
    setFailure(null)
    getFile(`/v1/fine_tuning/jobs/${id}/${path}`).then(
      blob => download(name, blob),
      (cause: unknown) => setFailure(sentenceOf(cause))
    )
  }
  const remove = (): void => {
    if (!confirm(`Delete the run “${runName(job)}”, its checkpoints and its model?`)) return
    send('DELETE', `/v1/fine_tuning/jobs/${id}`).then(onRemoved, (cause: unknown) => setFailure(sentenceOf(cause)))
  }
  const left = job.estimated_finish === null ? null : job.estimated_finish * 1000 - Date.now()
  const messages = said.filter(({ type }) => type === 'message')
  return (
    <section class="card stack" aria-label={`Run ${runName(job)}`}>
      <div class="row wrap">
        <h2>{runName(job)}</h2>
        <JobState job={job} />
        <span class="grow" />
        {status === 'running' && (
          <Button icon="pause" onClick={() => act('pause')}>
            Pause
          </Button>
        )}
        {(status === 'paused' || status === 'failed' || status === 'cancelled') && (
          <Button icon="play" onClick={() => act('resume')}>
            Resume
          </Button>
        )}
        {!isOver(job) && (
          <Button icon="stop" onClick={() => act('cancel')}>
            Cancel
          </Button>
        )}
        {model !== null && (
          <>
            <a class="button primary" href={`#/chat?${new URLSearchParams({ model, beside: job.model })}`}>
              Chat beside the base model
            </a>
            <Button icon="save" onClick={() => save('adapter', `${runName(job)}.zip`)}>
              Adapter (PEFT)
            </Button>
          </>
        )}
        <Button icon="save" look="quiet" onClick={() => save('config.yaml', `${runName(job)}.yaml`)}>
          YAML
        </Button>
        {isOver(job) && <Button icon="remove" look="quiet" name="Delete this run" onClick={remove} />}
      </div>
      {error !== null && <Failure text={error.message} />}
      {failure !== null && <Failure text={failure} />}
      {total > 0 && (
        <div class="row">
          <progress max={total} value={step} aria-label="Steps done" />
          <span class="small nowrap">
            step {step.toLocaleString('en')} of {total.toLocaleString('en')}
            {left !== null && left > 0 && !isOver(job) && `, about ${durationText(left)} left`}
          </span>
        </div>
      )}
      <div class="figures">
        <Figure name="Base model" value={job.model} />
        <Figure name="Loss" value={textOf(lastOf(lines, 'loss'))} />
        <Figure name="Evaluation loss" value={textOf(lastOf(lines, 'eval_loss'))} />
        <Figure name="Tokens/s" value={textOf(lastOf(lines, 'tokens_per_second'))} />
        <Figure name="Epochs" value={textOf(job.hyperparameters.n_epochs)} />
        <Figure name="Batch size" value={textOf(job.hyperparameters.batch_size)} />
        <Figure name="Started" value={dateText(job.created_at * 1000)} />
        {model !== null && <Figure name="New model" value={model} />}
      </div>
      {messages.length > 0 && (
        <details>
          <summary>What the run said</summary>
          <ol class="changes">
            {messages.map(({ id: event, created_at, level, message }) => (
              <li key={event} data-level={level}>
                <span class="muted mono">{timeText(created_at * 1000)}</span>{' '}
                {level !== 'info' && <strong>{level} </strong>}
                {message}
              </li>
            ))}
          </ol>
        </details>
      )}
    </section>
  )
}

export function JobState({ job }: { readonly job: Job }): JSX.Element {
  const { text, shape } = statuses[job.status]
  return (
    <span class="state" data-job={job.status}>
      <span aria-hidden="true" class="shape">
        {shape}
      </span>
      {text}
    </span>
  )
}
