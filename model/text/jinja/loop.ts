// `loop`: what a body knows about its loop. Reference: LoopContext of jinja2.

import { charge } from './budget.ts'
import { failTemplate, unsupported } from './errors.ts'
import { isEqual } from './python/compare.ts'
import { lengthOf } from './python/sequences.ts'
import { Callable, Iter, orElse, type PythonValue, type Structure, Tuple, Undefined } from './python/values.ts'

export class Loop implements Structure {
  readonly typeName = 'LoopContext'
  readonly depth0: number
  /** renders the loop again over other values; undefined where it is not recursive */
  readonly #again: ((values: PythonValue, depth0: number) => string) | undefined
  readonly #values: PythonValue
  #iterator: Iterator<PythonValue>
  #index0 = -1
  #length: number | undefined
  /** elements that were read ahead, from `#passed` on */
  readonly #ahead: PythonValue[] = []
  #passed = 0
  #before: PythonValue | undefined
  #current: PythonValue | undefined
  #changed: Tuple | undefined

  constructor(
    values: PythonValue,
    iterator: Iterator<PythonValue>,
    depth0: number,
    again: ((values: PythonValue, depth0: number) => string) | undefined
  ) {
    this.#values = values
    this.#iterator = iterator
    this.depth0 = depth0
    this.#again = again
  }

  /** The next element, or undefined at the end. */
  next(): PythonValue | undefined {
    const value = this.#passed < this.#ahead.length ? this.#ahead[this.#passed++] : this.#read()
    if (value === undefined) return undefined
    this.#index0++
    this.#before = this.#current
    this.#current = value
    return value
  }

  #read(): PythonValue | undefined {
    const { done, value } = this.#iterator.next()
    return done === true ? undefined : value
  }

  #peek(): PythonValue | undefined {
    if (this.#passed === this.#ahead.length) {
      this.#ahead.length = 0
      this.#passed = 0
      const value = this.#read()
      if (value !== undefined) this.#ahead.push(value)
    }
    return this.#ahead[this.#passed]
  }

  length(): number {
    if (this.#length !== undefined) return this.#length
    const known = this.#values instanceof Iter ? undefined : lengthOf(this.#values)
    if (known === undefined) {
      for (let value = this.#read(); value !== undefined; value = this.#read()) {
        charge(8)
        this.#ahead.push(value)
      }
    }
    this.#length = known ?? this.#ahead.length - this.#passed + this.#index0 + 1
    return this.#length
  }

  attribute(name: string): PythonValue | undefined {
    switch (name) {
      case 'index':
        return this.#index0 + 1
      case 'index0':
        return this.#index0
      case 'first':
        return this.#index0 === 0
      case 'last':
        return this.#peek() === undefined
      case 'length':
        return this.length()
      case 'revindex':
        return this.length() - this.#index0
      case 'revindex0':
        return this.length() - this.#index0 - 1
      case 'depth':
        return this.depth0 + 1
      case 'depth0':
        return this.depth0
      case 'previtem':
        return orElse(this.#before, () => new Undefined(() => 'there is no previous item'))
      case 'nextitem':
        return orElse(this.#peek(), () => new Undefined(() => 'there is no next item'))
      case 'cycle':
        return new Callable(name, args =>
          orElse(args[this.#index0 % args.length], () => failTemplate('TypeError', 'no items for cycling given'))
        )
      case 'changed':
        return new Callable(name, args => {
          const value = new Tuple(args)
          if (this.#changed !== undefined && isEqual(this.#changed, value)) return false
          this.#changed = value
          return true
        })
      default:
        return undefined
    }
  }

  call(args: readonly PythonValue[]): PythonValue {
    if (this.#again === undefined) {
      return failTemplate('TypeError', "The loop must have the 'recursive' marker to be called recursively.")
    }
    if (args.length !== 1) unsupported('calls loop() without one argument')
    return this.#again(args[0]!, this.depth0 + 1)
  }

  text(): string {
    return `<LoopContext ${this.#index0 + 1}/${this.length()}>`
  }
}
