// Files and fine-tuning jobs of a gateway, over its store.
import { join } from 'node:path'
import type { Logger } from '../../client/index.ts'
import type { ModelRegistry } from '../models/registry.ts'
import type { Store } from '../storage/store.ts'
import { FileKeeper, type FileKeeperInit } from './file-keeper.ts'
import { JobRunner, type JobRunnerInit } from './runner.ts'

export interface FineTuning {
  readonly files: FileKeeper
  readonly jobs: JobRunner
}

export type FineTuningInit = Pick<FileKeeperInit, 'maxBytes'> & Pick<JobRunnerInit, 'concurrency'>

/** They do nothing until they are started. A store in memory keeps no files and runs no jobs. */
export function createFineTuning(
  { store, models, logger }: { readonly store: Store; readonly models: ModelRegistry; readonly logger: Logger },
  { maxBytes, concurrency }: FineTuningInit = {}
): FineTuning {
  const within = (name: string): string | null => (store.folder === null ? null : join(store.folder, name))
  const files = new FileKeeper({ files: store.files }, { folder: within('files'), maxBytes })
  const jobs = new JobRunner({ jobs: store.jobs, files, models, logger }, { folder: within('jobs'), concurrency })
  return { files, jobs }
}
