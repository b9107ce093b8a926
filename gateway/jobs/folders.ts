// The folder of each job: its own copies of the files it trains on, its run, and the YAML of that run. Knows no queue.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { SwarmError, writeConfigYaml } from '../../client/index.ts'
import { makeFolder } from '../../common/files/folders.ts'
import { ApiError, invalid } from '../errors.ts'
import type { FileRow } from '../storage/files.ts'
import type { FileNames } from './data.ts'
import type { FileKeeper } from './file-keeper.ts'
import { type Job, type JobRequest, wrongState } from './job.ts'
import type { RunPlaces } from './settings.ts'

type DataFiles = Pick<RunPlaces, 'trainFile' | 'validationFile'>

export class JobFolders {
  readonly #files: FileKeeper
  readonly #root: string | null

  /** @param root folder that holds those of the jobs; null: this gateway runs no jobs */
  constructor(files: FileKeeper, root: string | null) {
    this.#files = files
    this.#root = root
  }

  /**
   * Makes the folder of all jobs, and removes folders of jobs that were never recorded.
   * @returns whether this gateway runs jobs
   */
  async open(isRecorded: (id: string) => boolean): Promise<boolean> {
    const root = this.#root
    if (root === null) return false
    await makeFolder(root)
    for (const name of await readdir(root)) {
      if (/^ftjob-\w+$/.test(name) && !isRecorded(name)) await this.remove(name)
    }
    return true
  }

  /** Folder of a job's run. Throws ApiError 501 without a home folder. */
  of(id: string): string {
    if (this.#root !== null) return join(this.#root, id)
    throw new ApiError('this gateway runs no fine-tuning jobs: it was started without a home folder', { status: 501 })
  }

  /** Names of the uploaded files that a job asks for. Throws ApiError 404, 400 for a file with another purpose. */
  namesOf(request: JobRequest): DataFiles {
    const { training, validation } = this.#uploads(request)
    return { trainFile: training.filename, validationFile: validation?.filename ?? null }
  }

  /** Makes a job's folder, with copies of the files it asks for. Throws as `namesOf`. */
  async make(job: Job): Promise<void> {
    const { training, validation } = this.#uploads(job)
    const folder = this.of(job.id)
    await makeFolder(folder)
    await this.#files.lend(training, folder, 'training')
    if (validation !== null) await this.#files.lend(validation, folder, 'validation')
  }

  async remove(id: string): Promise<void> {
    await rm(this.of(id), { recursive: true, force: true })
  }

  /** Paths of a job's copies, and the names that their owner knows. Throws NOT_FOUND. */
  async filesOf(job: Job): Promise<DataFiles & { names: FileNames }> {
    const folder = this.of(job.id)
    const found = await readdir(folder)
    const path = (name: string): string | null => {
      const match = found.find(each => each.startsWith(`${name}.`))
      return match === undefined ? null : join(folder, match)
    }
    const [trainFile, validationFile] = [path('training'), path('validation')]
    if (trainFile === null) throw new SwarmError('NOT_FOUND', `${folder}: the training data is gone`)
    const names = {
      [trainFile]: this.#nameOf(job.trainingFile),
      ...(validationFile !== null && { [validationFile]: this.#nameOf(job.validationFile!) })
    }
    return { trainFile, validationFile, names }
  }

  /** The run for `swarm train --config`, with the names that the owner knows. Throws ApiError 409 before validation. */
  yamlOf(job: Job): string {
    if (job.config === null) throw wrongState(job, 'shown as YAML', 'its files are not validated')
    const { trainingFile, validationFile, suffix } = job
    return writeConfigYaml({
      ...job.config,
      train_file: this.#nameOf(trainingFile),
      ...(validationFile !== null && { validation_file: this.#nameOf(validationFile) }),
      output_dir: `runs/${suffix ?? job.id}`
    })
  }

  #uploads({ trainingFile, validationFile }: JobRequest): { training: FileRow; validation: FileRow | null } {
    return {
      training: this.#upload(trainingFile, 'training_file'),
      validation: validationFile === null ? null : this.#upload(validationFile, 'validation_file')
    }
  }

  #upload(id: string, param: string): FileRow {
    const file = this.#files.get(id, param)
    if (file.purpose === 'fine-tune') return file
    throw invalid(`${param}: expected a file with purpose 'fine-tune', '${id}' has '${file.purpose}'`, param)
  }

  /** The file's name; its id once its owner has deleted it: the job keeps its own copy. */
  #nameOf(id: string): string {
    return this.#files.find(id)?.filename ?? id
  }
}
