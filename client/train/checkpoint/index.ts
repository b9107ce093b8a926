// Checkpoints of a run.
export { Checkpoints, type CheckpointsInit, checkpointsOf, type FoundCheckpoint, lastGood } from './checkpoints.ts'
export { hashExamples, type RunIdentity } from './identity.ts'
