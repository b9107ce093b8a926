// Decides about answers that are not finite: whether to believe them, which servers to ask, and which to blame. Pure:
// the session acts on the decision.
import type { Float32Tensor } from '../../../common/tensor.ts'
import { tokensFinite } from '../passes/finite.ts'
import type { Hop } from '../routing/routing.ts'
import type { Step } from './pending.ts'

/** Maximum number of servers to ask if the answers to a step are not finite. */
const mostSuspects = 4

/** An answer of a server to a step. */
export interface SuspectAnswer {
  readonly step: Step
  readonly hop: Hop
  readonly states: Float32Tensor
  /** of the last server of the chain */
  readonly isLast: boolean
  /** the server got its input from another server, so the culprit is unknown */
  readonly isHandedOn: boolean
  /** whether the model's own numbers may exceed the range of floats */
  mayOverflow(): boolean
}

/**
 * What to do with an answer.
 * - `believe`: use it. `agreed` answered alike and are right; `cleared` had answered wrongly.
 * - `relay`: send hidden states through the client from now on, and ask again.
 * - `ask`: send the step to another server; at once if this one was not asked before.
 * - `blame`: all of `hops` answered wrongly, and there is no other to ask.
 */
export type Belief =
  | { readonly kind: 'believe'; readonly agreed: readonly Hop[]; readonly wrong: readonly Hop[] }
  | { readonly kind: 'relay' }
  | { readonly kind: 'ask'; readonly isPrompt: boolean }
  | { readonly kind: 'blame'; readonly hops: readonly Hop[] }

const believed: Belief = { kind: 'believe', agreed: [], wrong: [] }

export class Suspects {
  /** an input was not finite, so results may not be either */
  #isFedNonFinite = false
  #number = 0
  #hops: readonly Hop[] = []

  /** servers whose answer to a step was not finite: others get the same step */
  get hops(): readonly Hop[] {
    return this.#hops
  }

  /** Records the servers' inputs: hidden states, [batch, seq, hidden], `lengths` of them tokens. */
  fed(hidden: Float32Tensor, lengths: readonly number[]): void {
    if (!tokensFinite(hidden, (row, position) => position < lengths[row]!)) this.#isFedNonFinite = true
  }

  /**
   * An answer that is not finite is believed only if what servers were given is not finite either, or if two servers agree and what they
   * were given may overflow.
   * @param answering peer ids of the chain that the answer came through
   */
  judge(answer: SuspectAnswer, answering: () => ReadonlySet<string>): Belief {
    const { step, hop, states, isLast, isHandedOn } = answer
    if (this.#isFedNonFinite) return believed
    const isToken = (row: number, position: number): boolean =>
      isLast && step.lastOnly ? step.lengths[row]! > 0 : position < step.lengths[row]!
    if (tokensFinite(states, isToken)) {
      if (!isLast || step.number < this.#number || this.#hops.length === 0) return believed
      // a server that was asked again has since answered correctly
      const right = answering()
      return { kind: 'believe', agreed: [], wrong: this.#forget().filter(({ peerId }) => !right.has(peerId)) }
    }
    if (isHandedOn) return { kind: 'relay' }
    const before = this.#number === step.number ? this.#hops : []
    const isOverflow = before.length > 0 && answer.mayOverflow()
    if (isOverflow && before.at(-1)!.blocks.first === hop.blocks.first) {
      // two servers agree, or there is no other: the model's own numbers exceed the range of floats
      this.#forget()
      this.#isFedNonFinite = true
      return { kind: 'believe', agreed: before, wrong: [] }
    }
    const isKnown = before.some(({ peerId }) => peerId === hop.peerId)
    this.#number = step.number
    this.#hops = isKnown ? before : [...before, hop]
    if (!isOverflow && (isKnown || before.length === mostSuspects)) return { kind: 'blame', hops: this.#forget() }
    return { kind: 'ask', isPrompt: !isKnown }
  }

  #forget(): readonly Hop[] {
    const hops = this.#hops
    this.#number = 0
    this.#hops = []
    return hops
  }
}
