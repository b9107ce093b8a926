// The tasks of models, with PEFT's names.
export const taskTypes = ['CAUSAL_LM', 'SEQ_2_SEQ_LM', 'SEQ_CLS', 'TOKEN_CLS', 'FEATURE_EXTRACTION'] as const

/** What a model is for, under PEFT's names. */
export type TaskType = (typeof taskTypes)[number]

/** In a base model, as FEATURE_EXTRACTION has it, paths of modules lack the name of the base model in the whole one. */
export function modulePath(path: string, task: TaskType): string {
  return task === 'FEATURE_EXTRACTION' ? path.slice(path.indexOf('.') + 1) : path
}
