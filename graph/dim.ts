// Arithmetic on sizes of axes that may be symbols: polynomials with whole coefficients, written in one canonical way,
// so that `seq-1+1` is `seq` and equal sizes are equal strings. Knows no operator.
import { SwarmError } from '../common/errors.ts'
import type { Dim } from './graph.ts'

/** monomial (`batch*seq`, symbols sorted; '' for the constant) -> coefficient */
export type Polynomial = ReadonlyMap<string, number>

const symbolPattern = /^[A-Za-z_][\w.]*$/

/** Reads `2*past+seq-1`. Throws INTERNAL for anything that is not sums of products of symbols and whole numbers. */
export function polynomial(dim: Dim): Polynomial {
  const sum = new Map<string, number>()
  if (typeof dim === 'number') return dim === 0 ? sum : sum.set('', dim)
  for (const [, sign, product] of dim.replaceAll(' ', '').matchAll(/([+-]?)([^+-]*)/g)) {
    if (sign === '' && product === '') continue
    let coefficient = sign === '-' ? -1 : 1
    const symbols: string[] = []
    for (const factor of product!.split('*')) {
      if (/^\d+$/.test(factor)) coefficient *= Number(factor)
      else if (symbolPattern.test(factor)) symbols.push(factor)
      else throw new SwarmError('INTERNAL', `'${dim}' is not a size: expected sums of products of symbols and numbers`)
    }
    accumulate(sum, symbols.sort().join('*'), coefficient)
  }
  return sum
}

function accumulate(sum: Map<string, number>, monomial: string, coefficient: number): void {
  const total = (sum.get(monomial) ?? 0) + coefficient
  if (total === 0) sum.delete(monomial)
  else sum.set(monomial, total)
}

/** The one way to write a polynomial: symbols in alphabetical order, positive terms before negative ones, number last. */
function written(sum: Polynomial): Dim {
  const monomials = [...sum.keys()].filter(monomial => monomial !== '').sort()
  const constant = sum.get('') ?? 0
  if (monomials.length === 0) return constant
  monomials.sort((a, b) => Number(sum.get(a)! < 0) - Number(sum.get(b)! < 0))
  const terms = monomials.map(monomial => {
    const coefficient = sum.get(monomial)!
    const size = Math.abs(coefficient) === 1 ? monomial : `${Math.abs(coefficient)}*${monomial}`
    return `${coefficient < 0 ? '-' : '+'}${size}`
  })
  if (constant !== 0) terms.push(`${constant < 0 ? '' : '+'}${constant}`)
  return terms.join('').replace(/^\+/, '')
}

/** The canonical spelling: two dims are equal sizes wherever they are the same after this. */
export function canonical(dim: Dim): Dim {
  return typeof dim === 'number' || symbolPattern.test(dim) ? dim : written(polynomial(dim))
}

/** a + times * b */
export function addDims(a: Dim, b: Dim, times = 1): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + times * b
  const sum = new Map(polynomial(a))
  for (const [monomial, coefficient] of polynomial(b)) accumulate(sum, monomial, times * coefficient)
  return written(sum)
}

export function multiplyDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b
  const product = new Map<string, number>()
  for (const [left, x] of polynomial(a)) {
    for (const [right, y] of polynomial(b)) {
      const symbols = [...left.split('*'), ...right.split('*')].filter(symbol => symbol !== '')
      accumulate(product, symbols.sort().join('*'), x * y)
    }
  }
  return written(product)
}

/** Number of elements of a shape. */
export function productOf(shape: readonly Dim[]): Dim {
  return shape.reduce<Dim>(multiplyDims, 1)
}

/**
 * `total / part` where it is a whole number of something; null otherwise. Only for a `part` of one term
 * (`12`, `batch*seq`), which is what reshapes ask for.
 */
export function divideDim(total: Dim, part: Dim): Dim | null {
  const [[divisor, by] = ['', 1], ...more] = polynomial(part)
  if (more.length > 0 || part === 0) return null
  const quotient = new Map<string, number>()
  for (const [monomial, coefficient] of polynomial(total)) {
    const symbols = monomial.split('*')
    for (const symbol of divisor === '' ? [] : divisor.split('*')) {
      const at = symbols.indexOf(symbol)
      if (at < 0) return null
      symbols.splice(at, 1)
    }
    if (coefficient % by !== 0) return null
    quotient.set(symbols.filter(symbol => symbol !== '').join('*'), coefficient / by)
  }
  return written(quotient)
}

/** The number that a size is when its symbols have these sizes. */
export function evaluate(dim: Dim, sizeOf: (symbol: string) => number): number {
  if (typeof dim === 'number') return dim
  let sum = 0
  for (const [monomial, coefficient] of polynomial(dim)) {
    const symbols = monomial.split('*').filter(symbol => symbol !== '')
    sum += symbols.reduce((product, symbol) => product * sizeOf(symbol), coefficient)
  }
  return sum
}
