// Which ranks stay (Zhang et al. 2023, sections 3.2 and 3.3), as PEFT's RankAllocator decides it. Pure but for Λ, whose
// entries it sets to zero.
import { SwarmError } from '../../../common/errors.ts'
import { tensor } from '../../../common/tensor.ts'
import type { Parameter } from '../../local/parameter.ts'
import type { TuningState } from '../method.ts'
import type { AdaLoraSettings } from './config.ts'
import type { Triplet } from './triplet.ts'

/** Smoothed sensitivity and uncertainty of every element of a parameter; single precision, as PEFT keeps them. */
interface Importance {
  readonly sensitivity: Float32Array<ArrayBuffer>
  readonly uncertainty: Float32Array<ArrayBuffer>
}

const importanceParts = ['sensitivity', 'uncertainty'] as const

type Schedule = Pick<AdaLoraSettings, 'tinit' | 'tfinal' | 'totalStep' | 'deltaT' | 'initR' | 'targetR'>

/** Total rank budget of all modules at a step, and whether ranks are pruned to it at that step. Cubic schedule. */
export function budgetAt(schedule: Schedule, modules: number, step: number): { budget: number; cuts: boolean } {
  const { tinit, tfinal, totalStep, deltaT, initR, targetR } = schedule
  const [first, last] = [initR * modules, targetR * modules]
  if (step <= tinit) return { budget: first, cuts: false }
  if (step >= totalStep - tfinal) return { budget: last, cuts: step === totalStep - tfinal }
  const left = 1 - (step - tinit) / (totalStep - tfinal - tinit)
  return { budget: Math.trunc((first - last) * left ** 3 + last), cuts: step % deltaT === 0 }
}

export class RankAllocator {
  readonly #settings: AdaLoraSettings
  readonly #triplets: readonly Triplet[]
  readonly #importance = new Map<Parameter, Importance>()
  /** by the modules' names; null before the first allocation */
  pattern: Record<string, boolean[]> | null = null

  constructor(settings: AdaLoraSettings, triplets: readonly Triplet[]) {
    this.#settings = settings
    this.#triplets = triplets
  }

  /** After `step` optimizer steps, with that step's gradients still there. */
  afterStep(step: number): void {
    const { totalStep, tfinal } = this.#settings
    if (step < totalStep - tfinal) for (const parameter of this.#parameters) this.#observe(parameter)
    const { budget, cuts } = budgetAt(this.#settings, this.#triplets.length, step)
    if (cuts) this.#allocate(budget)
    if (step > totalStep - tfinal) this.#mask()
  }

  /** |weight · gradient|, smoothed, and how far it strays from that (equations 8 to 10) */
  #observe(parameter: Parameter): void {
    const { data, grad } = parameter
    if (grad === null) return
    const { beta1, beta2 } = this.#settings
    let known = this.#importance.get(parameter)
    if (known === undefined) {
      known = { sensitivity: new Float32Array(data.length), uncertainty: new Float32Array(data.length) }
      this.#importance.set(parameter, known)
    }
    const { sensitivity, uncertainty } = known
    for (let index = 0; index < data.length; index++) {
      const now = Math.abs(data[index]! * grad[index]!)
      sensitivity[index] = beta1 * sensitivity[index]! + (1 - beta1) * now
      uncertainty[index] = beta2 * uncertainty[index]! + (1 - beta2) * Math.abs(now - sensitivity[index]!)
    }
  }

  #score(parameter: Parameter, index: number): number {
    const known = this.#importance.get(parameter)
    return known === undefined ? 0 : known.sensitivity[index]! * known.uncertainty[index]!
  }

  /** A score for every rank of a module: of its singular value, and the means of its vectors' (equation 7). */
  #scores({ a, e, b }: Triplet): number[] {
    const [rank, inputs] = a.shape as [number, number]
    const outputs = b.shape[0]!
    return Array.from({ length: rank }, (_, r) => {
      let [ofA, ofB] = [0, 0]
      for (let k = 0; k < inputs; k++) ofA += this.#score(a, r * inputs + k)
      for (let k = 0; k < outputs; k++) ofB += this.#score(b, k * rank + r)
      return this.#score(e, r) + ofA / inputs + ofB / outputs
    })
  }

  /** Keeps as many ranks as the budget allows, the highest scores of all modules. */
  #allocate(budget: number): void {
    const scores = this.#triplets.map(triplet => this.#scores(triplet))
    const sorted = scores.flat().sort((a, b) => a - b)
    const threshold = budget < sorted.length ? sorted[sorted.length - budget - 1]! : -Infinity
    this.pattern = Object.fromEntries(
      this.#triplets.map(({ patternName }, index) => [patternName, scores[index]!.map(score => score > threshold)])
    )
    this.#mask()
  }

  #mask(): void {
    for (const { e, patternName } of this.#triplets) {
      for (const [rank, isKept] of (this.pattern?.[patternName] ?? []).entries()) if (!isKept) e.data[rank] = 0
    }
  }

  get #parameters(): readonly Parameter[] {
    return this.#triplets.flatMap(({ a, e, b }) => [a, e, b])
  }

  /** A copy: `<parameter>.sensitivity` and `.uncertainty` of those observed, `<module>.kept` 0 or 1 of each rank. */
  exportState(): TuningState {
    const tensors: Record<string, TuningState['tensors'][string]> = {}
    for (const [{ name, shape }, known] of this.#importance) {
      for (const part of importanceParts) tensors[`${name}.${part}`] = tensor('float32', shape, known[part].slice())
    }
    for (const [name, kept] of Object.entries(this.pattern ?? {})) {
      tensors[`${name}.kept`] = tensor('float32', [kept.length], Float32Array.from(kept, Number))
    }
    return { tensors, numbers: {} }
  }

  /** Throws BAD_CHECKPOINT for tensors that are not of these modules and ranks; then nothing has changed. */
  importState({ tensors }: TuningState): void {
    const left = new Set(Object.keys(tensors))
    const take = (name: string, size: number): Float32Array<ArrayBuffer> => {
      const data = tensors[name]?.data
      if (data?.length !== size) {
        throw new SwarmError(
          'BAD_CHECKPOINT',
          `state of AdaLoRA: '${name}': expected ${size} numbers, found ${data?.length ?? 'none'} (is it of another adapter?)`
        )
      }
      left.delete(name)
      return data.slice()
    }
    const importance = new Map<Parameter, Importance>()
    for (const parameter of this.#parameters) {
      const { name, data } = parameter
      if (!importanceParts.some(part => `${name}.${part}` in tensors)) continue
      const [sensitivity, uncertainty] = importanceParts.map(part => take(`${name}.${part}`, data.length))
      importance.set(parameter, { sensitivity: sensitivity!, uncertainty: uncertainty! })
    }
    const allocated = this.#triplets.some(({ patternName }) => `${patternName}.kept` in tensors)
    const pattern = this.#triplets.map(({ e, patternName }) => [
      patternName,
      allocated ? [...take(`${patternName}.kept`, e.data.length)].map(Boolean) : []
    ])
    const [unknown] = left
    if (unknown !== undefined) {
      throw new SwarmError('BAD_CHECKPOINT', `state of AdaLoRA: '${unknown}' is of no module of this adapter`)
    }
    this.#importance.clear()
    for (const [parameter, known] of importance) this.#importance.set(parameter, known)
    this.pattern = allocated ? Object.fromEntries(pattern) : null
  }
}
