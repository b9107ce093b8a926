// {"instruction": …, "input": …, "output": …}: the output is learned after the prompt that Stanford Alpaca was trained with
// (https://github.com/tatsu-lab/stanford_alpaca, train.py, PROMPT_DICT).
import { SwarmError } from '../../../../common/errors.ts'
import { type DataFormat, type DataRow, textField, wrongField } from '../format.ts'
import { encodeSegments } from '../segments.ts'
import { completionSegments } from './completion.ts'

const task = 'Below is an instruction that describes a task'
const wish = 'Write a response that appropriately completes the request.'

function inputOf(row: DataRow): string {
  const { input } = row.fields
  if (input !== undefined && input !== null && typeof input !== 'string') throw wrongField(row, 'input', 'a text')
  return input ?? ''
}

/** What LLaMA-Factory and Axolotl put before an instruction has no place in Stanford Alpaca's prompts: refused rather than left out. */
function refuseContext({ fields, where }: DataRow): void {
  const isFilled = (value: unknown): boolean =>
    Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null && value !== ''
  const field = ['system', 'history'].find(name => isFilled(fields[name]))
  if (field === undefined) return
  const message = `${where}: "${field}" has no place in Alpaca's prompt (write such rows as "messages")`
  throw new SwarmError('INVALID_ARGUMENT', message)
}

function promptOf(instruction: string, input: string): string {
  if (input === '') return `${task}. ${wish}\n\n### Instruction:\n${instruction}\n\n### Response:`
  const both = `${task}, paired with an input that provides further context. ${wish}`
  return `${both}\n\n### Instruction:\n${instruction}\n\n### Input:\n${input}\n\n### Response:`
}

export const alpaca: DataFormat = {
  task: 'CAUSAL_LM',
  fields: ['instruction', 'output'],
  encode(row, context) {
    refuseContext(row)
    const prompt = promptOf(textField(row, 'instruction'), inputOf(row))
    return encodeSegments(completionSegments(prompt, textField(row, 'output')), context, row)
  }
}
