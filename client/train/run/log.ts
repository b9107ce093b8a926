// Writes a run's logs to its folder: metrics.jsonl, loss.svg, event files of TensorBoard.
import { files } from '#files'
import { second } from '../../../common/units.ts'
import type { TrainingProgress } from '../options.ts'
import { intervalOf } from '../plan.ts'
import { fileHeader, scalarsRecord } from './event-file.ts'
import { evaluationLine, formatMetrics, type MetricsLine, parseMetrics, series, trainingLine } from './metrics.ts'
import { plot } from './plot.ts'

const metricsName = 'metrics.jsonl'
const plotName = 'loss.svg'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The lines of a run's metrics.jsonl. Throws NOT_FOUND. */
export async function readMetrics(directory: string): Promise<MetricsLine[]> {
  return parseMetrics(new TextDecoder().decode(await files.read(files.join(directory, metricsName))))
}

/** Draws the losses of a run into its loss.svg, and returns the path. Throws NOT_FOUND without metrics. */
export async function plotRun(directory: string, path = files.join(directory, plotName)): Promise<string> {
  const lines = await readMetrics(directory)
  const curves = [
    { label: 'loss', color: '#3465a4', points: series(lines, 'loss') },
    { label: 'eval_loss', color: '#cc6600', points: series(lines, 'eval_loss') }
  ].filter(({ points }) => points.length > 0)
  await files.write(path, bytesOf(plot(curves, { title: 'loss', x: 'step', y: 'loss' })))
  return path
}

export interface RunLogInit {
  readonly directory: string
  /** steps between two lines, or below 1 a share of all steps */
  readonly loggingSteps: number
  readonly tensorboard: boolean
  /** the run ends here, whatever happens before; its line is always written */
  readonly now?: () => Date
}

export class RunLog {
  readonly #init: RunLogInit
  readonly #now: () => Date
  #events: string | null = null
  #pending: TrainingProgress[] = []
  #begun = false

  constructor(init: RunLogInit) {
    this.#init = init
    this.#now = init.now ?? (() => new Date())
  }

  /** Records the result of a step. */
  async add(progress: TrainingProgress): Promise<void> {
    if (!this.#begun) await this.#begin(progress.step)
    this.#pending.push(progress)
    const { step, total, stopsEarly, evaluation } = progress
    const isLast = step === total || stopsEarly === true
    const time = this.#now().toISOString()
    const lines: MetricsLine[] = []
    if (step % intervalOf(this.#init.loggingSteps, total) === 0 || isLast) {
      lines.push(trainingLine(this.#pending, time))
      this.#pending = []
    }
    const evaluated = evaluation === undefined ? null : evaluationLine(progress, time)
    if (evaluated !== null) lines.push(evaluated)
    if (lines.length > 0) await this.#write(lines)
  }

  /** Draws the curve, if there is anything to draw. */
  async close(): Promise<void> {
    if (this.#begun) await plotRun(this.#init.directory)
  }

  /** A resumed run drops metrics after its checkpoint. */
  async #begin(firstStep: number): Promise<void> {
    this.#begun = true
    const path = files.join(this.#init.directory, metricsName)
    const before = (await files.exists(path)) ? await readMetrics(this.#init.directory) : []
    await files.write(path, bytesOf(formatMetrics(before.filter(({ step }) => step < firstStep))))
    if (!this.#init.tensorboard) return
    const seconds = this.#now().getTime() / second
    this.#events = files.join(
      this.#init.directory,
      'runs',
      `events.out.tfevents.${Math.floor(seconds)}.${crypto.randomUUID()}`
    )
    await files.append(this.#events, fileHeader(seconds))
  }

  async #write(lines: readonly MetricsLine[]): Promise<void> {
    await files.append(files.join(this.#init.directory, metricsName), bytesOf(formatMetrics(lines)))
    if (this.#events === null) return
    for (const { step, epoch, time, ...measured } of lines) {
      const values = 'loss' in measured ? { epoch, ...measured } : measured
      const scalars = Object.entries(values).filter((entry): entry is [string, number] => typeof entry[1] === 'number')
      const tagged = scalars.map(([name, value]) => [tagOf(name), value] as const)
      await files.append(this.#events, scalarsRecord(step, Object.fromEntries(tagged), this.#now().getTime() / second))
    }
  }
}

/** `loss` -> `train/loss`, `eval_loss` -> `eval/loss`, as Hugging Face's callback names them. */
function tagOf(name: string): string {
  return name.startsWith('eval_') ? `eval/${name.slice('eval_'.length)}` : `train/${name}`
}
