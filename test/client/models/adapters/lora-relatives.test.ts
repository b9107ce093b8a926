import { describeRelatives, usual } from './lora-relatives.ts'

describeRelatives(usual)
