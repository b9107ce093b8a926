// Some of the runs of npm run test:families, in the default suite.
import { describeStackRuns } from './stack-methods.ts'

const chosen = [
  't5 seq2seq prompt',
  't5 seq2seq prefix',
  't5-gated seq2seq p-tuning',
  'bert seq-cls p-tuning',
  'bert questions prompt',
  'bert token-cls prefix',
  'bert token-cls ln-tuning',
  'bert features oft'
]

describeStackRuns((model, task, name) => chosen.includes(`${model} ${task} ${name}`))
