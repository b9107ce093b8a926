// What a long operation tells about itself while it runs, so that a command, a page or a program can show it. Pure.

/** What is going on. */
export type Stage =
  /** bytes arrive from the hub or from peers */
  | 'download'
  /** downloaded files are checked by their hashes */
  | 'verify'
  /** peers of the swarm are looked for */
  | 'connect'
  /** tensors that lie outside the blocks are read */
  | 'load'
  /** blocks are converted to float32 */
  | 'convert'
  /** blocks are quantized, and rearranged for products */
  | 'quantize'
  /** blocks are loaded into the runtime and their speed is measured */
  | 'measure'
  /** examples become tokens */
  | 'tokenize'
  /** the first training step, in which client and servers build their graphs */
  | 'prepare'
  /** losses of examples are computed */
  | 'evaluate'
  /** answers to prompts are generated and compared */
  | 'answer'
  /** tensors of a model are merged with an adapter and written */
  | 'export'

/** What `done` and `total` count. */
export type ProgressUnit = 'bytes' | 'blocks' | 'tensors' | 'examples' | 'steps'

/** How far one stage of a long call is, as `onProgress` hears it. */
export interface Progress {
  /** what is done now */
  readonly stage: Stage
  /** of the file, model or tensor, for people */
  readonly name?: string
  /** undefined where there is nothing to count */
  readonly unit?: ProgressUnit
  /** bytes or items so far */
  readonly done: number
  /** undefined where it is not known before */
  readonly total?: number
  /** this is the stage's last event: it is complete, or it failed */
  readonly ended: boolean
}

/** Hears of each stage: once when it begins, with `done` 0, then as it goes on, and once when it ends. It must not throw. */
export type OnProgress = (progress: Progress) => void

/** A stage that runs. */
export interface RunningStage {
  /** Adds to the count. */
  add(count: number): void
  /** Sets the count. */
  reach(done: number): void
}

/** Runs one stage of an operation and reports its start, progress and end, also if it fails. */
export async function runStage<T>(
  onProgress: OnProgress | undefined,
  about: Pick<Progress, 'stage' | 'name' | 'unit' | 'total'>,
  work: (running: RunningStage) => T | Promise<T>
): Promise<T> {
  let done = 0
  const tell = (ended: boolean): void => onProgress?.({ ...about, done, ended })
  const reach = (count: number): void => {
    done = count
    tell(false)
  }
  tell(false)
  try {
    return await work({ reach, add: count => reach(done + count) })
  } finally {
    tell(true)
  }
}
