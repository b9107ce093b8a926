// Validates the users' token ids, masks and labels, and converts them to one shape. Knows no model but its sizes.

import { SwarmError } from '../../common/errors.ts'
import { rowView } from '../../common/rows.ts'
import { type Float32Tensor, int64, type Tensor, tensor } from '../../common/tensor.ts'

/** Whole numbers by row: [batch, seq], or one row. */
export type Ids = Tensor<'int64'> | readonly number[] | readonly (readonly number[])[]

function invalid(message: string): SwarmError {
  return new SwarmError('INVALID_ARGUMENT', message)
}

function isTensor(ids: Ids): ids is Tensor<'int64'> {
  return !Array.isArray(ids)
}

/** The rows of ids, masks or labels. Throws INVALID_ARGUMENT. */
export function rowsOfIds(ids: Ids, what: string): number[][] {
  if (isTensor(ids)) {
    const [batch, sequence] = ids.shape.length === 1 ? [1, ids.shape[0]!] : ids.shape
    if (ids.dtype !== 'int64' || ids.shape.length > 2 || batch === undefined || sequence === undefined) {
      throw invalid(`${what}: expected int64 [batch, seq], found ${ids.dtype}[${ids.shape}]`)
    }
    const numbers = Array.from(ids.data, Number)
    return Array.from({ length: batch }, (_, row) => numbers.slice(row * sequence, (row + 1) * sequence))
  }
  const rows = (ids.length > 0 && typeof ids[0] === 'number' ? [ids] : ids) as readonly (readonly number[])[]
  if (rows.length === 0) throw invalid(`${what}: expected at least one row, found none`)
  for (const [index, row] of rows.entries()) {
    if (!Array.isArray(row) || row.length === 0 || !row.every(Number.isSafeInteger)) {
      throw invalid(`${what}, row ${index}: expected at least one whole number, and nothing else`)
    }
  }
  return rows.map(row => [...row])
}

/** [batch, seq] with rows of one length, all like `shape` if given. Throws INVALID_ARGUMENT. */
export function idMatrix(ids: Ids, what: string, shape?: readonly number[]): Tensor<'int64'> {
  const rows = rowsOfIds(ids, what)
  const width = rows[0]!.length
  const odd = rows.findIndex(row => row.length !== width)
  if (odd !== -1) {
    throw invalid(
      `${what}: row ${odd} has ${rows[odd]!.length} numbers, row 0 ${width} (pad them, with an attentionMask)`
    )
  }
  if (shape !== undefined && shape.join() !== [rows.length, width].join()) {
    throw invalid(`${what}: expected [${shape}] as inputIds, found [${rows.length}, ${width}]`)
  }
  return int64([rows.length, width], rows.flat())
}

/** A mask of zeros and ones of this shape; undefined where it hides nothing. */
export function maskMatrix(
  mask: Ids | undefined,
  shape: readonly number[],
  what = 'attentionMask'
): Tensor<'int64'> | undefined {
  if (mask === undefined) return undefined
  const matrix = idMatrix(mask, what, shape)
  if (matrix.data.some(value => value !== 0n && value !== 1n)) throw invalid(`${what}: expected zeros and ones`)
  return matrix.data.every(value => value === 1n) ? undefined : matrix
}

/**
 * Token types of this shape, below `known`; undefined where all are 0. Models without types (`known` 0) ignore them, as Hugging Face's
 * do. Throws INVALID_ARGUMENT for others.
 */
export function typeMatrix(
  types: Ids | undefined,
  shape: readonly number[],
  known: number
): Tensor<'int64'> | undefined {
  if (types === undefined) return undefined
  const matrix = idMatrix(types, 'tokenTypeIds', shape)
  if (known === 0) return undefined
  const odd = matrix.data.find(type => type < 0n || type >= BigInt(known))
  if (odd !== undefined) {
    throw invalid(`tokenTypeIds: expected ${known === 1 ? 'nothing but 0' : `0 to ${known - 1}`}, found ${odd}`)
  }
  return matrix.data.every(type => type === 0n) ? undefined : matrix
}

/** What Hugging Face takes for tokens where no mask says so: all that are not the padding token. */
export function impliedMask(ids: Tensor<'int64'>, padTokenId: number | undefined): Tensor<'int64'> | undefined {
  if (padTokenId === undefined) return undefined
  const mask = tensor('int64', ids.shape)
  for (const [index, id] of ids.data.entries()) mask.data[index] = id === BigInt(padTokenId) ? 0n : 1n
  return mask
}

/** One label for each of `batch` sequences, in one row or one below the other, as [batch, 1]. Throws INVALID_ARGUMENT. */
export function sequenceLabels(labels: Ids, batch: number): Tensor<'int64'> {
  const rows = rowsOfIds(labels, 'labels')
  const numbers = rows.flat()
  const isOne = rows.length === 1 || rows.every(row => row.length === 1)
  if (!isOne || numbers.length !== batch) {
    const found = rows.length === 1 ? `${numbers.length}` : `rows of ${[...new Set(rows.map(row => row.length))]}`
    throw invalid(`labels: expected one label for each of ${batch} sequences, found ${found}`)
  }
  return int64([batch, 1], numbers)
}

/** Numbers by row: [batch, numLabels], or one for each row. */
export type Numbers = Float32Tensor | readonly number[] | readonly (readonly number[])[]

const isNumbersTensor = (values: Ids | Numbers): values is Tensor<'int64'> | Float32Tensor => !Array.isArray(values)

/**
 * A number for each label of each of `batch` sequences, as [batch, 1, numLabels]; with one label, numbers in one row or one below the
 * other. Throws INVALID_ARGUMENT for another number of them, and for what is no finite number.
 */
export function labelNumbers(labels: Ids | Numbers, batch: number, numLabels: number): Float32Tensor {
  const shape = isNumbersTensor(labels) ? labels.shape : shapeOf(labels)
  const isOneEach = numLabels === 1 && (shape.join() === `${batch}` || shape.join() === `1,${batch}`)
  if (shape.join() !== `${batch},${numLabels}` && !isOneEach) {
    throw invalid(
      `labels: expected ${numLabels} ${numLabels === 1 ? 'number' : 'numbers'} for each of ${batch} sequences, found [${shape}]`
    )
  }
  const numbers = Float32Array.from(isNumbersTensor(labels) ? labels.data : labels.flat(), Number)
  const wrong = numbers.findIndex(value => !Number.isFinite(value))
  if (wrong !== -1)
    throw invalid(`labels, row ${Math.floor(wrong / numLabels)}: expected numbers, found ${numbers[wrong]}`)
  return { dtype: 'float32', shape: [batch, 1, numLabels], data: numbers }
}

/** Of rows of one length; of others the lengths, for a message. */
function shapeOf(rows: readonly number[] | readonly (readonly number[])[]): readonly (number | string)[] {
  if (!Array.isArray(rows[0])) return [rows.length]
  const lengths = [...new Set((rows as readonly (readonly number[])[]).map(row => row.length))]
  return [rows.length, lengths.join(' or ')]
}

/** Whether labels are a flag or a number for each label of a sequence, not the number of one label. */
export function areNumbersOfLabels(labels: Ids | Numbers, numLabels: number): boolean {
  if (isNumbersTensor(labels)) return labels.dtype === 'float32'
  return numLabels > 1 && labels.every(row => Array.isArray(row) && row.length === numLabels)
}

/** `count` more columns of `value` before the first. */
export function prependColumns(matrix: Tensor<'int64'>, count: number, value: number): Tensor<'int64'> {
  const [batch, sequence] = matrix.shape as [number, number]
  const wider = tensor('int64', [batch, count + sequence])
  for (let row = 0; row < batch; row++) {
    const at = row * (count + sequence)
    wider.data.fill(BigInt(value), at, at + count)
    wider.data.set(rowView(matrix.data, sequence, row), at + count)
  }
  return wider
}

/** Prompts of a generation. */
export interface Prompts {
  /** as they come back before the new tokens: of one length */
  readonly padded: readonly (readonly number[])[]
  /** the tokens alone */
  readonly rows: readonly (readonly number[])[]
}

export interface PromptRules {
  readonly vocabSize: number
  /** fills rows that are shorter than others */
  readonly padTokenId: number
  /** what counts as padding where no mask is given; null: nothing does */
  readonly impliedPadding: number | null
}

/**
 * Rows without their padding, wherever it is: masked tokens are seen by none and take no position. Rows of different
 * lengths are padded on the left in what comes back. Without a mask, padding tokens count as padding if the model has
 * such a token that is not also an end token, as in Hugging Face. Throws INVALID_ARGUMENT.
 */
export function parsePrompts(ids: Ids, mask: Ids | undefined, rules: PromptRules): Prompts {
  const given = rowsOfIds(ids, 'inputIds')
  checkVocabulary(given.flat(), rules.vocabSize)
  const longest = Math.max(...given.map(row => row.length))
  const padded = given.map(row => [...Array<number>(longest - row.length).fill(rules.padTokenId), ...row])
  if (mask === undefined) {
    const { impliedPadding } = rules
    const rows = given.map(row => (impliedPadding === null ? row : row.filter(id => id !== impliedPadding)))
    // a row of nothing but padding is taken as it is
    return { padded, rows: rows.map((row, index) => (row.length > 0 ? row : given[index]!)) }
  }
  const masks = rowsOfIds(mask, 'attentionMask')
  if (masks.length !== given.length || masks.some((row, index) => row.length !== given[index]!.length)) {
    throw invalid('attentionMask: expected as many numbers as inputIds in every row')
  }
  const rows = given.map((row, index) => row.filter((_, position) => masks[index]![position] === 1))
  const empty = rows.findIndex(row => row.length === 0)
  if (empty !== -1) throw invalid(`attentionMask, row ${empty}: expected at least one token that is not masked`)
  return { padded, rows }
}

/** Throws INVALID_ARGUMENT for ids that the model has no embedding of. */
export function checkVocabulary(ids: Iterable<number | bigint>, vocabSize: number): void {
  for (const id of ids) {
    if (id < 0 || id >= vocabSize) {
      throw invalid(`token id ${id}: expected 0 to ${vocabSize - 1} (is the tokenizer that of this model?)`)
    }
  }
}
