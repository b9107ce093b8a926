// A swarm that is joined once: several models over one network, and a look at all that it serves.
import { pause, throwIfAborted } from '../common/async.ts'
import { checkOptions } from '../common/options.ts'
import { multicastSettleMs } from '../network/constants.ts'
import type { Network } from '../network/network.ts'
import { type JoinOptions, joinKeys, joinNetwork } from './join.ts'
import { AutoDistributedModelForCausalLM, type DistributedModelForCausalLM } from './models/causal.ts'
import { type LanguageModel, openLanguageModel } from './models/language-model.ts'
import type { PretrainedOptions } from './pretrained.ts'
import { type SurveyedModel, surveyModels } from './survey.ts'

/** How a model is opened over a network that has joined already. */
export type SwarmModelOptions = Omit<
  PretrainedOptions,
  'network' | 'initialPeers' | 'swarm' | 'allow' | 'identityPath' | 'multicast' | 'onFound'
>

/** One network, for as many models as are wanted. */
export class Swarm {
  /** the network; what opens other kinds of models takes it as its option `network` */
  readonly network: Network

  /** @param network started; stopped by `close` */
  constructor(network: Network) {
    this.network = network
  }

  /** Name of the private swarm; null: an open one. */
  get name(): string | null {
    return this.network.swarmName ?? null
  }

  /** The peer id of this client. */
  get peerId(): string {
    return this.network.peerId
  }

  /**
   * The models that the swarm serves just now, each with its servers, their load and, unless `roundTrips` is false, their round trips.
   * Throws when `signal` aborts.
   */
  async survey(options: { roundTrips?: boolean; signal?: AbortSignal } = {}): Promise<SurveyedModel[]> {
    checkOptions('survey', options, { roundTrips: true, signal: true })
    return await surveyModels(this.network, options)
  }

  /** A causal language model over this network, as AutoDistributedModelForCausalLM opens it; closing it leaves the swarm joined. */
  async openModel(path: string, options: SwarmModelOptions = {}): Promise<DistributedModelForCausalLM> {
    return await AutoDistributedModelForCausalLM.fromPretrained(path, { ...options, network: this.network })
  }

  /** The same of either kind of language model, as `openLanguageModel` opens it. */
  async openLanguageModel(path: string, options: SwarmModelOptions = {}): Promise<LanguageModel> {
    return await openLanguageModel(path, { ...options, network: this.network })
  }

  /** Leaves the swarm. Models that are open over it must be closed before. */
  async close(): Promise<void> {
    await this.network.stop()
  }

  /** The same as `close`, for `await using` and stacks of resources. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Joins a swarm, whichever models it serves. Throws UNREACHABLE if no initial peer is known or none answers, and
 * INVALID_ARGUMENT for malformed addresses or a malformed invite.
 */
export async function joinSwarm(options: JoinOptions = {}): Promise<Swarm> {
  checkOptions('joinSwarm', options, joinKeys)
  const { network, multicast } = await joinNetwork(options, 'any')
  try {
    // the swarms of a LAN may know nothing of each other: each of them has time to answer
    if (multicast) await pause(multicastSettleMs, options.signal)
    throwIfAborted(options.signal)
  } catch (error) {
    await network.stop()
    throw error
  }
  return new Swarm(network)
}
