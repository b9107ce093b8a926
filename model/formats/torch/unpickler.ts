// Reads a Python pickle into plain values. Builds nothing but what a table of names offers, and executes nothing.
// Format: Lib/pickletools.py of CPython (opcodes of protocols 0 to 4 that data needs).
import { SwarmError } from '../../../common/errors.ts'
import { quoteForeign } from '../../../common/foreign-json.ts'

/** What a pickle may name: a value, or a function that is called with the arguments the pickle gives. */
export type Globals = ReadonlyMap<string, unknown>
export type Constructor = (...args: unknown[]) => unknown

export interface UnpickleOptions {
  /** path for messages */
  readonly file: string
  /** by `module.name`; any other is refused */
  readonly globals: Globals
  /** resolves a persistent id */
  readonly persistent: (id: unknown) => unknown
  readonly limits?: PickleLimits
}

const mark = Symbol('mark')

/** What a pickle may ask of its reader. */
export interface PickleLimits {
  /** default 20 million: a tensor takes forty, and the largest checkpoints have a hundred thousand */
  readonly operations?: number
  /**
   * Lists, remembered values and results of calls, each many times as large as its byte in the pickle; a dictionary counts as eight.
   * Default 6 million: a tensor takes 26
   */
  readonly objects?: number
  /** values on the stack: Python puts a thousand items of a dictionary there at once. Default 1 million */
  readonly stack?: number
}

const dictionaryWeight = 8
/** Of a call: a tensor takes seven. */
const maxArguments = 64

class Machine {
  readonly stack: unknown[] = []
  readonly memo = new Map<number, unknown>()
  readonly options: UnpickleOptions
  readonly limits: PickleLimits
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  #objects = 0

  constructor(bytes: Uint8Array, options: UnpickleOptions) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.options = options
    this.limits = options.limits ?? {}
  }

  fault(what: string): SwarmError {
    return new SwarmError('BAD_CHECKPOINT', `${this.options.file}: pickle: ${what} (at byte ${this.#at})`)
  }

  take(length: number): number {
    if (length < 0 || this.#at + length > this.#bytes.length) throw this.fault('cut off')
    this.#at += length
    return this.#at - length
  }

  byte(): number {
    return this.#bytes[this.take(1)]!
  }

  uint16(): number {
    return this.#view.getUint16(this.take(2), true)
  }

  int32(): number {
    return this.#view.getInt32(this.take(4), true)
  }

  float64(): number {
    return this.#view.getFloat64(this.take(8), false)
  }

  /** A little endian two's complement number with the given number of bytes. */
  long(length: number): number {
    const at = this.take(length)
    let value = 0n
    for (let index = length - 1; index >= 0; index--) value = (value << 8n) | BigInt(this.#bytes[at + index]!)
    return Number(BigInt.asIntN(8 * length, value))
  }

  text(length: number): string {
    const at = this.take(length)
    return new TextDecoder().decode(this.#bytes.subarray(at, at + length))
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw this.fault('cut off')
    const text = this.text(end - this.#at)
    this.#at = end + 1
    return text
  }

  push(value: unknown): void {
    const { stack = 1_000_000 } = this.limits
    if (this.stack.length >= stack) throw this.fault(`puts more than ${stack} values on its stack`)
    this.stack.push(value)
  }

  /** A list or dictionary. */
  make(object: unknown[] | Map<unknown, unknown>): void {
    this.count(Array.isArray(object) ? 1 : dictionaryWeight)
    this.push(object)
  }

  count(weight = 1): void {
    this.#objects += weight
    const { objects = 6_000_000 } = this.limits
    if (this.#objects > objects) throw this.fault(`makes more than ${objects} objects`)
  }

  remember(key: number): void {
    this.count()
    this.memo.set(key, this.top())
  }

  pop(): unknown {
    if (this.stack.length === 0) throw this.fault('takes from an empty stack')
    return this.stack.pop()
  }

  top(): unknown {
    if (this.stack.length === 0) throw this.fault('takes from an empty stack')
    return this.stack.at(-1)
  }

  /** Everything above the last mark. */
  sinceMark(): unknown[] {
    const at = this.stack.lastIndexOf(mark)
    if (at < 0) throw this.fault('has no mark')
    return this.stack.splice(at).slice(1)
  }

  recall(key: number): void {
    if (!this.memo.has(key)) throw this.fault(`recalls what it has not kept (${key})`)
    this.push(this.memo.get(key))
  }

  global(module: unknown, name: unknown): void {
    const path = `${String(module)}.${String(name)}`
    if (!this.options.globals.has(path)) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${this.options.file}: the pickle names ${quoteForeign(path).replaceAll('"', "'")}, which no tensor needs: refused, nothing was run`
      )
    }
    this.push(this.options.globals.get(path))
  }

  reduce(): void {
    const args = this.pop()
    const callee = this.pop()
    if (typeof callee !== 'function' || !Array.isArray(args)) throw this.fault('calls what is no constructor')
    if (args.length > maxArguments) throw this.fault(`calls a constructor with ${args.length} arguments`)
    const made = (callee as Constructor)(...args)
    this.count(made instanceof Map ? dictionaryWeight : 1)
    this.push(made)
  }

  setItems(pairs: readonly unknown[]): void {
    const target = this.top()
    if (!(target instanceof Map) || pairs.length % 2 !== 0) throw this.fault('sets items of what is no dictionary')
    for (let index = 0; index < pairs.length; index += 2) target.set(pairs[index], pairs[index + 1])
  }

  append(items: readonly unknown[]): void {
    const target = this.top()
    if (!Array.isArray(target)) throw this.fault('appends to what is no list')
    for (const item of items) target.push(item)
  }
}

/** Attributes of an object (an OrderedDict's `_metadata`): none of them matters. */
function build(machine: Machine): void {
  machine.pop()
  if (!(machine.top() instanceof Map)) throw machine.fault('gives attributes to what is no dictionary')
}

const operations: ReadonlyMap<string, (machine: Machine) => void> = new Map(
  Object.entries({
    '\x80': machine => {
      const version = machine.byte()
      if (version > 4) throw machine.fault(`protocol ${version} is not supported`)
    },
    '\x95': machine => void machine.take(8),
    '(': machine => machine.push(mark),
    '0': machine => void machine.pop(),
    N: machine => machine.push(null),
    '\x88': machine => machine.push(true),
    '\x89': machine => machine.push(false),
    J: machine => machine.push(machine.int32()),
    K: machine => machine.push(machine.byte()),
    M: machine => machine.push(machine.uint16()),
    G: machine => machine.push(machine.float64()),
    '\x8a': machine => machine.push(machine.long(machine.byte())),
    X: machine => machine.push(machine.text(machine.int32())),
    '\x8c': machine => machine.push(machine.text(machine.byte())),
    T: machine => machine.push(machine.text(machine.int32())),
    U: machine => machine.push(machine.text(machine.byte())),
    ')': machine => machine.make([]),
    ']': machine => machine.make([]),
    '}': machine => machine.make(new Map()),
    t: machine => machine.make(machine.sinceMark()),
    l: machine => machine.make(machine.sinceMark()),
    '\x85': machine => machine.make([machine.pop()]),
    '\x86': machine => machine.make([machine.pop(), machine.pop()].reverse()),
    '\x87': machine => machine.make([machine.pop(), machine.pop(), machine.pop()].reverse()),
    d: machine => {
      const pairs = machine.sinceMark()
      machine.make(new Map())
      machine.setItems(pairs)
    },
    s: machine => machine.setItems([machine.pop(), machine.pop()].reverse()),
    u: machine => machine.setItems(machine.sinceMark()),
    a: machine => machine.append([machine.pop()]),
    e: machine => machine.append(machine.sinceMark()),
    q: machine => machine.remember(machine.byte()),
    r: machine => machine.remember(machine.int32()),
    '\x94': machine => machine.remember(machine.memo.size),
    h: machine => machine.recall(machine.byte()),
    j: machine => machine.recall(machine.int32()),
    c: machine => machine.global(machine.line(), machine.line()),
    '\x93': machine => {
      const name = machine.pop()
      machine.global(machine.pop(), name)
    },
    R: machine => machine.reduce(),
    b: build,
    Q: machine => machine.push(machine.options.persistent(machine.pop()))
  } satisfies Record<string, (machine: Machine) => void>)
)

/**
 * The value of a pickle: dictionaries as Maps, lists and tuples as arrays.
 * Throws BAD_CHECKPOINT naming any global that is not offered, for opcodes that data does not need, and for pickles that make more
 * than any checkpoint's.
 */
export function unpickle(bytes: Uint8Array, options: UnpickleOptions): unknown {
  const machine = new Machine(bytes, options)
  const { operations: operationsAtMost = 20_000_000 } = machine.limits
  for (let done = 0; ; done++) {
    if (done >= operationsAtMost) throw machine.fault(`does more than ${operationsAtMost} operations`)
    const code = String.fromCharCode(machine.byte())
    if (code === '.') return machine.pop()
    const operation = operations.get(code)
    if (operation === undefined) throw machine.fault(`opcode ${JSON.stringify(code)} is not one that data needs`)
    operation(machine)
  }
}
