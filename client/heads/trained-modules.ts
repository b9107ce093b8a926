// The model's own tensors that an adapter trains, with programs over the copies: those before and after the blocks.
import type { Checkpoint } from '../../model/checkpoint/checkpoint.ts'
import { Embeddings } from '../local/embeddings.ts'
import type { Parameter } from '../local/parameter.ts'
import { LocalPrograms } from '../local/programs.ts'
import type { TaskType } from '../tuning/index.ts'
import { type ModulesToSave, modulesToSaveOf } from './modules-to-save.ts'

export interface TrainedModules {
  /** by the names that PEFT gives the tensors */
  readonly parameters: readonly Parameter[]
  readonly embeddings: Embeddings
  /** Of tokens that enter the decoder, where the model has two stacks. */
  decoderEmbeddings(): Embeddings
  /** for the head */
  readonly programs: LocalPrograms
  close(): Promise<void>
}

/** Copies of what is chosen, and changed weights; null where that is nothing. Throws INVALID_ARGUMENT for modules that there are not. */
export function trainedModules(
  { checkpoint, programs }: { checkpoint: Checkpoint; programs: LocalPrograms },
  chosen: ModulesToSave,
  task: TaskType
): TrainedModules | null {
  const { parameters, before, after } = modulesToSaveOf(checkpoint, programs.parameters, chosen, task)
  if (parameters.length === 0 && (chosen.changes ?? []).length === 0) return null
  const { threads } = programs
  const entering = new LocalPrograms(before, { threads })
  const leaving = new LocalPrograms(after, { threads })
  const weight = before.get(checkpoint.family.clientTensorNames(checkpoint.config).embedding)!
  const over = { checkpoint, weight, programs: entering }
  return {
    parameters,
    embeddings: new Embeddings(over),
    decoderEmbeddings: () => new Embeddings(over, { stack: 'decoder' }),
    programs: leaving,
    async close() {
      await Promise.all([entering.close(), leaving.close()])
    }
  }
}
