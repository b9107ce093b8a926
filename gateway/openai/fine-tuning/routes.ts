// The routes of files and fine-tuning jobs.
import type { Routes } from '../../http/api.ts'
import { fileRoutes } from '../files.ts'
import { fineTuningExtensionRoutes } from './extensions.ts'
import { fineTuningJobRoutes } from './jobs.ts'

export const fineTuningRoutes: Routes = (api, context) => {
  for (const add of [fileRoutes, fineTuningJobRoutes, fineTuningExtensionRoutes]) add(api, context)
}
