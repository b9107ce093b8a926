// The error for a swarm that cannot be used, with its state.
import { type ErrorCode, SwarmError } from '../../common/errors.ts'
import { describeState } from './sentences.ts'
import type { SwarmState, SwarmStateKind } from './swarm-state.ts'

const codes = {
  'no-way-in': 'INVALID_ARGUMENT',
  'none-found': 'UNREACHABLE',
  unreachable: 'UNREACHABLE',
  'other-secret': 'UNREACHABLE',
  'other-peer': 'UNREACHABLE',
  refused: 'UNREACHABLE',
  excluded: 'UNREACHABLE',
  'no-server': 'BLOCKS_UNAVAILABLE',
  'other-model': 'BLOCKS_UNAVAILABLE',
  'other-revision': 'BLOCKS_UNAVAILABLE',
  paused: 'BLOCKS_UNAVAILABLE',
  joining: 'BLOCKS_UNAVAILABLE',
  draining: 'BLOCKS_UNAVAILABLE',
  'other-version': 'BLOCKS_UNAVAILABLE',
  incomplete: 'BLOCKS_UNAVAILABLE',
  complete: 'INTERNAL'
} as const satisfies Record<SwarmStateKind, ErrorCode>

/** An error with the state behind it, so that programs can tell the states apart, and the command line can speak of flags. */
export class SwarmStateError extends SwarmError {
  /** what was found of the swarm */
  readonly state: SwarmState

  constructor(state: SwarmState, options: { cause?: unknown } = {}) {
    super(codes[state.kind], describeState(state, 'sdk'), options)
    this.state = state
  }
}
