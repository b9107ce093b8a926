// What takes longer: npm run test:families.
import { describeRelatives, others } from './lora-relatives.ts'

describeRelatives(others)
