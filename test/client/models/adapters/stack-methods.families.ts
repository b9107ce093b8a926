// Every method for every task of a T5 and a BERT: npm run test:families. The default suite runs some of them.
import { describeStackRuns } from './stack-methods.ts'

describeStackRuns(() => true)
