// The checkpoints in a run's folder: written as a whole or not at all, found again, kept within a limit.

import { files as platformFiles } from '#files'
import { settled } from '../../../common/async.ts'
import { SwarmError } from '../../../common/errors.ts'
import { type Files, temporarySuffix } from '../../platform/files.ts'
import type { TrainableModel } from '../model.ts'
import type { TrainingState } from '../state.ts'
import { decodeSnapshot, decodeStateFile, encodeSnapshot, stateName, tensorsName } from './format.ts'
import { checkIdentity, type RunIdentity } from './identity.ts'

/** How errors name the checkpoint that a run can go on from. */
export const lastGood = 'last good checkpoint'

export interface CheckpointsInit {
  /** of the run */
  readonly directory: string
  readonly run: RunIdentity
  /** how many are kept; default all */
  readonly limit?: number
}

/** Folder of a step's checkpoint, named as in Hugging Face. */
const folderOf = (step: number): string => `checkpoint-${step}`

/** The step in such a folder's name; null for other names. */
function stepOf(folder: string): number | null {
  const match = /^checkpoint-(\d+)$/.exec(folder)
  return match === null ? null : Number(match[1])
}

/** The oldest ones above the limit; never the best and never the newest, which may be one more than the limit of 1. */
export function superfluous(steps: readonly number[], limit: number, best: number | null): number[] {
  const ordered = steps.toSorted((a, b) => a - b)
  const removable = ordered.slice(0, -1).filter(step => step !== best)
  return removable.slice(0, Math.max(0, Math.min(removable.length, ordered.length - limit)))
}

/** One checkpoint in a run's folder. */
export interface FoundCheckpoint {
  /** optimizer steps done */
  readonly step: number
  readonly path: string
}

/** The whole checkpoints in a run's folder, by ascending steps; none where there is no such folder. */
export async function checkpointsOf(directory: string): Promise<FoundCheckpoint[]> {
  const names = (await platformFiles.list(directory)) ?? []
  const found = names.map(name => ({ step: stepOf(name), path: platformFiles.join(directory, name) }))
  return found.filter((one): one is FoundCheckpoint => one.step !== null).sort((a, b) => a.step - b.step)
}

export class Checkpoints {
  readonly #model: TrainableModel
  readonly #files: Files
  readonly #init: CheckpointsInit
  /** path of the last one that was saved or loaded */
  last: string | null = null

  constructor(components: { model: TrainableModel; files?: Files }, init: CheckpointsInit) {
    this.#model = components.model
    this.#files = components.files ?? platformFiles
    this.#init = init
  }

  /** Steps of the checkpoints that are there, ascending. */
  async steps(): Promise<number[]> {
    const names = (await this.#files.list(this.#init.directory)) ?? []
    return names.flatMap(name => stepOf(name) ?? []).sort((a, b) => a - b)
  }

  /** Path of the checkpoint of a step. */
  pathOf(step: number): string {
    return this.#files.join(this.#init.directory, folderOf(step))
  }

  /** Path of the newest. Throws NOT_FOUND. */
  async newest(): Promise<string> {
    const step = (await this.steps()).at(-1)
    if (step !== undefined) return this.pathOf(step)
    throw new SwarmError('NOT_FOUND', `${this.#init.directory}: no checkpoint to resume from`)
  }

  /**
   * Writes the run as it is now; what is there stays until it is done, and stays if it fails. Then removes what is above
   * the limit. Where the folder cannot be written the checkpoint goes where the system keeps temporary files, and it throws
   * DISK_FULL or INVALID_ARGUMENT that name it, and the newest in the folder that is whole.
   */
  async save(state: TrainingState): Promise<string> {
    const path = this.pathOf(state.step)
    try {
      await this.#write(path, state)
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error
      const whole = this.last ?? 'none was saved before'
      const spared = await this.#spare(state)
      const kept = spared === null ? '' : `; step ${state.step} is kept in ${spared}: make room, and resume from there`
      throw new SwarmError(error.code, `${path}: ${error.message} (${lastGood}: ${whole})${kept}`, { cause: error })
    }
    this.last = path
    await this.#rotate(state.best?.step ?? null)
    return path
  }

  /** Puts model and method where the checkpoint has them. Throws NOT_FOUND, BAD_CHECKPOINT, UNSUPPORTED for one of a later release, INVALID_ARGUMENT for one of another run. */
  async load(path: string): Promise<TrainingState> {
    const statePath = this.#files.join(path, stateName)
    const file = decodeStateFile(await this.#files.read(statePath), statePath)
    checkIdentity(file.run, this.#init.run, path)
    const tensorsPath = this.#files.join(path, tensorsName)
    const bytes = await this.#files.read(tensorsPath)
    const { state, method } = decodeSnapshot(file, bytes, trainable(this.#model), tensorsPath)
    if (method !== null) this.#model.importState?.(method)
    this.last = path
    return state
  }

  /** Takes away what a killed process left half written. */
  async clean(): Promise<void> {
    for (const name of (await this.#files.list(this.#init.directory)) ?? []) {
      if (!name.startsWith('checkpoint-') || !name.endsWith(temporarySuffix)) continue
      await this.#files.remove(this.#files.join(this.#init.directory, name))
    }
  }

  async #write(path: string, state: TrainingState): Promise<void> {
    const method = this.#model.exportState?.() ?? null
    const snapshot = { state, parameters: trainable(this.#model), method, run: this.#init.run }
    await this.#files.writeFolder(path, async temporary => {
      for (const [name, bytes] of Object.entries(encodeSnapshot(snapshot))) {
        await this.#files.write(this.#files.join(temporary, name), bytes)
      }
      await this.#model.savePretrained?.(temporary)
    })
  }

  /** Writes it outside the run's folder, and gives the path; null where there is no room either. */
  async #spare(state: TrainingState): Promise<string | null> {
    let folder: string | undefined
    try {
      folder = await this.#files.spareFolder()
      const path = this.#files.join(folder, folderOf(state.step))
      await this.#write(path, state)
      return path
    } catch {
      // the error to tell is that of the run's own folder
      if (folder !== undefined) await settled(this.#files.remove(folder))
      return null
    }
  }

  async #rotate(best: number | null): Promise<void> {
    const { limit } = this.#init
    if (limit === undefined) return
    for (const step of superfluous(await this.steps(), limit, best)) await this.#files.remove(this.pathOf(step))
  }
}

function trainable(model: TrainableModel) {
  return model.parameters().filter(({ requiresGrad }) => requiresGrad)
}
