// Checkpoints of a run.
export { Checkpoints, type CheckpointsInit, lastGood } from './checkpoints.ts'
export { hashExamples, type RunIdentity } from './identity.ts'
