// Some of the runs of npm run test:families, in the default suite.
import { describeStackRuns } from './stack-methods.ts'

const chosen = [
  't5 seq2seq prompt',
  't5 seq2seq prefix',
  'bert token-cls prefix',
  'bert token-cls ln-tuning',
  'bert features oft'
]

describeStackRuns((model, task, name) => chosen.includes(`${model} ${task} ${name}`))
