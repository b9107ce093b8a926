// A run and its folder.
export { plotRun, readMetrics } from './log.ts'
export type { MetricsLine } from './metrics.ts'
export { type DataSummary, previewRun, type RunPreview, summarizeData } from './preview.ts'
export { checkRunFolder, configName, probeRunFolder, type RunOptions, runTraining } from './run.ts'
