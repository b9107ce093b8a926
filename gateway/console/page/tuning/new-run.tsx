// A new run: data, what they would teach, settings, an estimate of the time, and the start.
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { send, sentenceOf } from '../api.ts'
import { bytesText, download, durationText, numberText } from '../format.ts'
import { Button, Failure, Field, NumberField, SelectField } from '../parts/controls.tsx'
import { session } from '../session.ts'
import { useStore } from '../store.ts'
import { PreviewView } from './preview-view.tsx'
import { type Choices, type Estimate, type Job, type Preview, toJobBody, type UploadedFile } from './types.ts'

/** how long the person has to be still before the preview is made again, in milliseconds */
const stillMs = 500

interface FileFieldProps {
  readonly label: string
  readonly help: string
  readonly file: UploadedFile | null
  readonly onFile: (file: UploadedFile | null) => void
}

/** Uploads a file as soon as it is chosen, or dropped on the field. */
function FileField({ label, help, file, onFile }: FileFieldProps): JSX.Element {
  const [state, setState] = useState<{ readonly busy: boolean; readonly failure: string | null }>({
    busy: false,
    failure: null
  })
  const upload = (chosen: File | undefined): void => {
    if (chosen === undefined) return
    const form = new FormData()
    form.append('purpose', 'fine-tune')
    form.append('file', chosen)
    setState({ busy: true, failure: null })
    send<UploadedFile>('POST', '/v1/files', form).then(
      found => {
        setState({ busy: false, failure: null })
        onFile(found)
      },
      (error: unknown) => setState({ busy: false, failure: sentenceOf(error) })
    )
  }
  return (
    <div class="drop">
      <Field label={label} help={help}>
        {(id, describedBy) => (
          <input
            id={id}
            aria-describedby={describedBy}
            type="file"
            accept=".jsonl,.json,.csv,.tsv,.txt,.jsonl.gz,.parquet"
            onChange={event => upload(event.currentTarget.files?.[0])}
          />
        )}
      </Field>
      <div role="status">
        {state.busy && <span class="muted small">The file is being sent…</span>}
        {file !== null && !state.busy && (
          <span class="small">
            ✓ {file.filename}, {bytesText(file.bytes)}
          </span>
        )}
      </div>
      {state.failure !== null && <Failure text={state.failure} />}
    </div>
  )
}

interface Looked {
  readonly preview: Preview | null
  readonly busy: boolean
  readonly failure: string | null
}

/** The preview of the choices, made again when they change. */
function usePreview(body: string | null): Looked {
  const [looked, setLooked] = useState<Looked>({ preview: null, busy: false, failure: null })
  useEffect(() => {
    if (body === null) return
    const leaving = new AbortController()
    setLooked(({ preview }) => ({ preview, busy: true, failure: null }))
    const timer = setTimeout(() => {
      send<Preview>('POST', '/v1/fine_tuning/preview?examples=4', JSON.parse(body), leaving.signal).then(
        preview => setLooked({ preview, busy: false, failure: null }),
        (error: unknown) => {
          if (!leaving.signal.aborted) setLooked({ preview: null, busy: false, failure: sentenceOf(error) })
        }
      )
    }, stillMs)
    return () => {
      clearTimeout(timer)
      leaving.abort()
    }
  }, [body])
  return looked
}

const numberOf = (config: Preview['config'] | undefined, name: string): string => {
  const value = config?.[name]
  return typeof value === 'number' ? String(value) : 'automatic'
}

interface NewRunProps {
  readonly onStarted: (job: Job) => void
}

export function NewRun({ onStarted }: NewRunProps): JSX.Element {
  const bases = useStore(session)!.models.filter(({ baseId }) => baseId === null)
  const [choices, setChoices] = useState<Choices>({ model: bases[0]?.id ?? '', name: '', truncate: false })
  const [file, setFile] = useState<UploadedFile | null>(null)
  const [validation, setValidation] = useState<UploadedFile | null>(null)
  const [measuring, setMeasuring] = useState<AbortController | null>(null)
  const [estimate, setEstimate] = useState<{ readonly of: string; readonly found: Estimate } | null>(null)
  const [starting, setStarting] = useState(false)
  const [failure, setFailure] = useState<string | null>(null)
  const body = file === null ? null : JSON.stringify(toJobBody(choices, file.id, validation?.id ?? null))
  const { preview, busy, failure: previewFailure } = usePreview(body)
  const choose = (more: Partial<Choices>): void => setChoices(known => ({ ...known, ...more }))
  const leaving = useRef(measuring)
  leaving.current = measuring
  useEffect(() => () => leaving.current?.abort(), [])
  const config = preview?.config
  const peft = config?.peft as Preview['config'] | undefined

  const measure = (): void => {
    if (body === null) return
    const stop = new AbortController()
    setMeasuring(stop)
    setFailure(null)
    send<Estimate>('POST', '/v1/fine_tuning/estimate', JSON.parse(body), stop.signal)
      .then(
        found => setEstimate({ of: body, found }),
        (error: unknown) => {
          if (!stop.signal.aborted) setFailure(sentenceOf(error))
        }
      )
      .finally(() => setMeasuring(null))
  }
  const start = (): void => {
    if (body === null) return
    setStarting(true)
    setFailure(null)
    send<Job>('POST', '/v1/fine_tuning/jobs', JSON.parse(body))
      .then(onStarted, (error: unknown) => setFailure(sentenceOf(error)))
      .finally(() => setStarting(false))
  }
  const current = estimate?.of === body ? estimate?.found : undefined
  return (
    <section class="card stack" aria-label="New run">
      <h2>New run</h2>
      <div class="two">
        <FileField
          label="Training data"
          help="JSONL, JSON, CSV or text. Each row is an example: “messages”, “prompt” and “completion”, or “text”."
          file={file}
          onFile={setFile}
        />
        <FileField
          label="Evaluation data (optional)"
          help="Without a file, a share of the training data can evaluate."
          file={validation}
          onFile={setValidation}
        />
      </div>
      <div class="pairs broad">
        <SelectField
          label="Base model"
          value={choices.model}
          options={bases.map(({ id }) => ({ value: id, text: id }))}
          onValue={model => choose({ model })}
        />
        <Field label="Name" help="Part of the new model’s name">
          {(id, describedBy) => (
            <input
              id={id}
              aria-describedby={describedBy}
              value={choices.name}
              maxLength={64}
              placeholder="my-adapter"
              onInput={event => choose({ name: event.currentTarget.value })}
            />
          )}
        </Field>
      </div>
      {file !== null && (
        <>
          <fieldset class="group">
            <legend>Settings</legend>
            <p class="help">Empty fields are chosen from the data: the grey number is what the run would use.</p>
            <div class="pairs">
              <NumberField
                label="Epochs"
                min={0.01}
                value={choices.epochs}
                placeholder={numberOf(config, 'num_train_epochs')}
                onValue={epochs => choose({ epochs })}
              />
              <NumberField
                label="Batch size"
                min={1}
                step={1}
                value={choices.batchSize}
                placeholder={numberOf(config, 'per_device_train_batch_size')}
                onValue={batchSize => choose({ batchSize })}
              />
              <NumberField
                label="Learning rate"
                min={0}
                value={choices.learningRate}
                placeholder={numberOf(config, 'learning_rate')}
                onValue={learningRate => choose({ learningRate })}
              />
              <NumberField
                label="LoRA rank"
                min={1}
                step={1}
                value={choices.rank}
                placeholder={numberOf(peft, 'r')}
                onValue={rank => choose({ rank })}
              />
              <NumberField
                label="LoRA alpha"
                min={0}
                value={choices.alpha}
                placeholder={numberOf(peft, 'lora_alpha')}
                onValue={alpha => choose({ alpha })}
              />
              <NumberField
                label="Most tokens"
                help="Of one example"
                min={1}
                step={1}
                value={choices.maxLength}
                placeholder={preview ? String(preview.max_length) : 'automatic'}
                onValue={maxLength => choose({ maxLength })}
              />
              {validation === null && (
                <NumberField
                  label="Evaluation share"
                  help="Such as 0.1"
                  min={0}
                  max={0.9}
                  step={0.05}
                  value={choices.validationShare}
                  placeholder="0"
                  onValue={validationShare => choose({ validationShare })}
                />
              )}
            </div>
            <label class="check">
              <input
                type="checkbox"
                checked={choices.truncate}
                onChange={event => choose({ truncate: event.currentTarget.checked })}
              />
              Cut long examples
            </label>
          </fieldset>
          <div aria-busy={busy} class="stack">
            {busy && preview === null && <p class="muted">The data are being read…</p>}
            {previewFailure !== null && <Failure text={previewFailure} />}
            {preview !== null && <PreviewView preview={preview} />}
          </div>
          {failure !== null && <Failure text={failure} />}
          <div class="row wrap">
            <Button look="primary" icon="play" disabled={preview === null || busy || starting} onClick={start}>
              Start the run
            </Button>
            {measuring === null ? (
              <Button disabled={preview === null || busy} onClick={measure}>
                Estimate the time
              </Button>
            ) : (
              <Button icon="stop" onClick={() => measuring.abort()}>
                Stop measuring
              </Button>
            )}
            <Button
              look="quiet"
              icon="save"
              disabled={preview === null}
              onClick={() => preview && download('run.yaml', preview.yaml, 'application/yaml')}
            >
              YAML for swarm train
            </Button>
            <span role="status" class="small">
              {measuring !== null && 'Two steps are made over the swarm and measured…'}
              {current !== undefined &&
                `About ${durationText(current.seconds * 1000)}: ${current.steps} steps of ${durationText(
                  current.seconds_per_step * 1000
                )}, ${numberText(current.tokens_per_second)} tokens/s.`}
            </span>
          </div>
        </>
      )}
    </section>
  )
}
