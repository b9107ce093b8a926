// Checkpoints of a run.
export { Checkpoints, type CheckpointsInit } from './checkpoints.ts'
export { hashExamples, type RunIdentity } from './identity.ts'
