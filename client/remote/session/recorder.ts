// Records the inputs and outputs of a session's servers for an audit. Sends no requests.

import { HiddenHistory } from '../../../common/hidden-history.ts'
import { spreadLast } from '../../../common/rows.ts'
import { type Float32Tensor, int64 } from '../../../common/tensor.ts'
import type { NamedTensors } from '../../../proto/frame.ts'
import type { AuditedSession, ResultAuditor } from '../audited.ts'
import type { EncoderStates } from '../passes/encoder-states.ts'
import type { SessionHop } from './hop.ts'
import type { Step } from './pending.ts'
import type { Chain } from './session-chain.ts'

export interface RecorderInit {
  readonly batch: number
  readonly hiddenSize: number
  readonly encoder?: EncoderStates
  readonly ports: NamedTensors
}

/** Results of one server, by position. */
class Outputs {
  readonly history: HiddenHistory
  /** of each row, positions whose result is known */
  known: Set<number>[]
  #last = 0

  constructor(batch: number, width: number) {
    this.history = new HiddenHistory(batch, width)
    this.known = Array.from({ length: batch }, () => new Set<number>())
  }

  take({ number, lengths, starts, parents, hidden }: Step, output: Float32Tensor): void {
    if (number !== this.#last && parents !== null) {
      this.history.reorder(parents)
      this.known = parents.map(parent => new Set(this.known[parent]))
    }
    this.#last = number
    const lastOnly = output.shape[1] !== hidden.shape[1]
    for (const [row, start] of starts.entries()) {
      const end = start + lengths[row]!
      const old = [...this.known[row]!].filter(position => position < start)
      const first = lastOnly ? Math.max(start, end - 1) : start
      this.known[row] = new Set([...old, ...Array.from({ length: end - first }, (_, index) => first + index)])
    }
    this.history.write({ hidden: lastOnly ? spreadLast(output, hidden.shape, lengths) : output, lengths, starts })
  }
}

export class SessionRecorder {
  readonly #auditor: Pick<ResultAuditor, 'session' | 'checkSession'>
  readonly #init: RecorderInit
  /** by the last of the forwarding servers */
  readonly #outputs = new Map<SessionHop, Outputs>()

  constructor(components: { auditor: Pick<ResultAuditor, 'session' | 'checkSession'> }, init: RecorderInit) {
    this.#auditor = components.auditor
    this.#init = init
  }

  /** A step's result, [batch, seq, hidden] or [batch, 1, hidden]. */
  take(hop: SessionHop, step: Step, output: Float32Tensor): void {
    const { batch, hiddenSize } = this.#init
    const outputs = this.#outputs.get(hop) ?? new Outputs(batch, hiddenSize)
    this.#outputs.set(hop, outputs)
    outputs.take(step, output)
  }

  /** Gives the auditor all that is known, behind the session's back. Between steps. */
  hand(chain: Chain): void {
    for (const audited of this.#known(chain)) this.#auditor.session(audited)
  }

  /** Audits everything so far now: true if it is wrong. */
  async check(chain: Chain, signal: AbortSignal): Promise<boolean> {
    let isWrong = false
    for (const { request, ...audited } of this.#known(chain)) {
      isWrong = (await this.#auditor.checkSession({ ...audited, request: { ...request, signal } })) || isWrong
    }
    return isWrong
  }

  #known({ hops, inputs }: Chain): AuditedSession[] {
    const all: AuditedSession[] = []
    for (const [first, given] of inputs) {
      const index = hops.indexOf(first)
      let last = index
      while (hops[last]!.place.next !== null) last += 1
      const outputs = this.#outputs.get(hops[last]!)
      if (outputs === undefined) continue
      // a snapshot: the session continues
      const known = outputs.known.map(row => new Set(row))
      const { lengths } = outputs.history
      const longest = Math.max(...lengths)
      const [input] = given.history.parts(longest, lengths)
      const [output] = outputs.history.parts(longest, lengths)
      if (input === undefined || output === undefined) continue
      const mask = lengths.flatMap(length => Array.from({ length: longest }, (_, at) => (at < length ? 1 : 0)))
      const { encoder, ports } = this.#init
      all.push({
        hops: hops.slice(index, last + 1).map(({ hop }) => hop),
        input: input.hidden,
        output: output.hidden,
        isKnown: (row, position) => known[row]!.has(position),
        request: { mask: int64([lengths.length, longest], mask), encoder, ports, dropout: null, keepResiduals: false }
      })
    }
    return all
  }
}
