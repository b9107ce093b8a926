// The models that `swarm train` trains, one for each task, with the adapter that a configuration describes.
import {
  type AuditReport,
  AutoDistributedModelForCausalLM,
  AutoDistributedModelForSequenceClassification,
  AutoDistributedModelForTokenClassification,
  getPeftModel,
  type PeftConfig,
  type PretrainedOptions,
  type TrainableModel
} from '../../client/index.ts'
import type { DataTask } from '../../client/train/index.ts'

/** What is trained, ready to be; the model under it is closed with it. */
export type TunedModel = TrainableModel & AsyncDisposable & { audits(): Promise<AuditReport | null> }

type Open = (
  path: string,
  options: PretrainedOptions & { readonly id2label?: readonly string[] },
  peft: PeftConfig
) => Promise<TunedModel>

/** What `tune` makes of the model; where it throws, the model is closed: its connections would keep the process. */
async function closedOnFailure<Base extends AsyncDisposable, Tuned>(
  base: Base,
  tune: (base: Base) => Promise<Tuned>
): Promise<Tuned> {
  try {
    return await tune(base)
  } catch (error) {
    await base[Symbol.asyncDispose]()
    throw error
  }
}

const openers = {
  CAUSAL_LM: async (path, { id2label: _, ...options }, peft) =>
    closedOnFailure(await AutoDistributedModelForCausalLM.fromPretrained(path, options), base =>
      getPeftModel(base, peft, { seed: options.seed, signal: options.signal })
    ),
  SEQ_CLS: async (path, options, peft) =>
    closedOnFailure(await AutoDistributedModelForSequenceClassification.fromPretrained(path, options), base =>
      getPeftModel(base, peft, { seed: options.seed, signal: options.signal })
    ),
  TOKEN_CLS: async (path, options, peft) =>
    closedOnFailure(await AutoDistributedModelForTokenClassification.fromPretrained(path, options), base =>
      getPeftModel(base, peft, { seed: options.seed, signal: options.signal })
    )
} as const satisfies Record<DataTask, Open>

/** Opens a model and puts a new adapter over it; `seed` decides the first values. Throws as `fromPretrained` and `getPeftModel`. */
export async function openTuned(task: DataTask, ...rest: Parameters<Open>): Promise<TunedModel> {
  const open: Open = openers[task]
  return await open(...rest)
}
