// The tasks of models, with PEFT's names.
export const taskTypes = [
  'CAUSAL_LM',
  'SEQ_2_SEQ_LM',
  'SEQ_CLS',
  'TOKEN_CLS',
  'QUESTION_ANS',
  'FEATURE_EXTRACTION'
] as const

/** What an adapter is for, under PEFT's names. */
export type PeftTask = (typeof taskTypes)[number]

/** What a model is for: PEFT's tasks, and the masked language model, which PEFT has no name for: its adapters name no task. */
export type TaskType = PeftTask | 'MASKED_LM'

/**
 * The modules that PEFT trains and saves with every adapter for a task, by the end of their path, whichever of them the model has: the
 * heads of its classes.
 */
export function taskModules(task: TaskType): readonly string[] {
  if (task === 'SEQ_CLS' || task === 'TOKEN_CLS') return ['classifier', 'score']
  return task === 'QUESTION_ANS' ? ['qa_outputs'] : []
}
