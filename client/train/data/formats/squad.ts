// {"question": …, "context": …, "answers": …} as SQuAD has it: where in the context the answer is. Long contexts become overlapping pieces, as
// in https://github.com/huggingface/transformers/blob/main/examples/pytorch/question-answering/run_qa.py.
import { SwarmError } from '../../../../common/errors.ts'
import { isJsonObject } from '../../../../model/json.ts'
import { jsonField } from '../conversation.ts'
import type { Example } from '../example.ts'
import { tooLong } from '../fit.ts'
import { type DataFormat, type DataRow, textField, wrongField } from '../format.ts'
import { encodeBare, pairOfIds, typesOf } from '../texts.ts'

interface Answer {
  readonly text: string
  readonly start: number
}

const expected = '{"text": […], "answer_start": […]}, or a list of {"text": …, "answer_start": …}'

/** The answers of a row, with their places in UTF-16 units; data sets count characters (code points). Throws INVALID_ARGUMENT. */
function answersOf(row: DataRow, context: string): readonly Answer[] {
  const given = jsonField(row, 'answers')
  const list = Array.isArray(given)
    ? given
    : isJsonObject(given) && Array.isArray(given.text)
      ? given.text.map((text, index) => ({
          text,
          answer_start: Array.isArray(given.answer_start) ? given.answer_start[index] : undefined
        }))
      : undefined
  if (list === undefined) throw wrongField(row, 'answers', expected)
  const unitsBefore = (characters: number): number => {
    let units = 0
    for (let at = 0; at < characters && units < context.length; at++)
      units += context.codePointAt(units)! > 0xffff ? 2 : 1
    return units
  }
  return list.map(answer => {
    const { text, answer_start: start } = isJsonObject(answer) ? answer : {}
    if (typeof text !== 'string' || !Number.isSafeInteger(start) || (start as number) < 0) {
      throw wrongField(row, 'answers', expected)
    }
    const place = unitsBefore(start as number)
    const found = context.slice(place, place + text.length)
    if (found.trim() === text.trim() && text.trim() !== '') return { text, start: place }
    throw new SwarmError(
      'INVALID_ARGUMENT',
      `${row.where}: the answer ${JSON.stringify(text)} is not at character ${start} of the context, which has ${JSON.stringify(found)} there`
    )
  })
}

/** Places of the first and last token that an answer has; null where it is not whole within them. */
function tokensOf(
  { text, start }: Answer,
  places: readonly ({ readonly start: number; readonly end: number } | null)[]
): [number, number] | null {
  const end = start + text.trimEnd().length
  const begin = start + (text.length - text.trimStart().length)
  const [first, last] = [places.findIndex(place => place !== null), places.findLastIndex(place => place !== null)]
  if (first < 0 || places[first]!.start > begin || places[last]!.end < end) return null
  const from = places.findLastIndex(place => place !== null && place.start <= begin)
  const to = places.findIndex(place => place !== null && place.end >= end)
  return from <= to ? [from, to] : null
}

export const squad: DataFormat = {
  task: 'QUESTION_ANS',
  fields: ['question', 'context', 'answers'],
  encode(row, { tokenizer, limit, docStride }) {
    const context = textField(row, 'context')
    const question = encodeBare(textField(row, 'question').trimStart(), tokenizer)
    const whole = encodeBare(context, tokenizer)
    if (whole.places.length !== whole.ids.length) {
      throw new SwarmError(
        'UNSUPPORTED',
        `${row.where}: the tokenizer does not tell where its tokens are in the context`
      )
    }
    const answers = answersOf(row, context)
    const around = pairOfIds(question.ids, [], tokenizer).ids.length
    const room = limit.maxLength - around
    const isWhole = whole.ids.length <= room
    if (!isWhole && room <= docStride) {
      throw tooLong(row.where, limit, around + docStride + 1, 'the question leaves no room for pieces of the context: ')
    }
    const id = typeof row.fields.id === 'string' ? row.fields.id : row.where
    const examples: Example[] = []
    for (let start = 0; examples.length === 0 || start < whole.ids.length; start += room - docStride) {
      const end = isWhole ? whole.ids.length : Math.min(start + room, whole.ids.length)
      const { ids, typeIds, secondStart } = pairOfIds(question.ids, whole.ids.slice(start, end), tokenizer)
      const places = ids.map((_, at) => {
        const place =
          at < secondStart || at >= secondStart + end - start ? null : whole.places[start + at - secondStart]!
        return place && { start: place.start, end: place.end }
      })
      // without an answer in this piece the first token stands for none
      const labels = (answers[0] && tokensOf(answers[0], places)) ?? [0, 0]
      const asked = { id, context, answers: answers.map(({ text }) => text), places }
      examples.push({ ids, ...typesOf(typeIds), labels, question: asked })
      if (end === whole.ids.length) break
    }
    return examples
  }
}
