// What a model is for, under PEFT's names.
export const taskTypes = ['CAUSAL_LM', 'SEQ_CLS', 'TOKEN_CLS', 'FEATURE_EXTRACTION'] as const

/** What a model is for, under PEFT's names. */
export type TaskType = (typeof taskTypes)[number]
