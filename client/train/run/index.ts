// A run and its folder.
export { plotRun, readMetrics } from './log.ts'
export type { MetricsLine } from './metrics.ts'
export { configName, prepareRunFolder, type RunOptions, runTraining } from './run.ts'
