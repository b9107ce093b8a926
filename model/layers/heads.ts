// Heads of tasks that several families have in one way. Knows no family.
import type { ModelConfig } from '../config/config.ts'
import type { HeadDescription, HeadTask } from '../family.ts'
import { isJsonObject } from '../json.ts'

interface LinearHead<C extends ModelConfig>
  extends Partial<Pick<HeadDescription, 'stack' | 'takes' | 'dropoutFields' | 'dropout'>> {
  /** what its tensors are called: `score.weight`, `score.bias` */
  readonly name: string
  /** default true */
  readonly bias?: boolean
  /** of a state; default the hidden size */
  width?(config: C): number
}

/** One linear layer after dropout; takes every state where nothing else is said. */
function linearHead<C extends ModelConfig>({
  name,
  bias = true,
  width = ({ hiddenSize }) => hiddenSize,
  takes = 'every',
  dropoutFields = [],
  dropout = 0,
  ...rest
}: LinearHead<C>): HeadDescription {
  return {
    ...rest,
    takes,
    dropoutFields,
    dropout,
    tensors: (config, classes) => [
      // the families' own configurations come back to them
      { name: `${name}.weight`, shape: [classes, width(config as C)] },
      ...(bias ? [{ name: `${name}.bias`, shape: [classes] }] : [])
    ],
    logits: ({ scope, drop }, states) => scope.project(drop(states), name)
  }
}

interface DecoderHeads<C extends ModelConfig> {
  /** of the ForTokenClassification class; default: as Hugging Face's GenericForTokenClassification */
  readonly token?: Pick<LinearHead<C>, 'name' | 'dropoutFields' | 'dropout'>
  /** of a state after the last norm; default the hidden size */
  width?(config: C): number
  /** whether there is a ForQuestionAnswering class; default true */
  readonly answers?: boolean
}

const genericToken = { name: 'score', dropoutFields: ['classifier_dropout', 'hidden_dropout'], dropout: 0.1 }

/** The heads of transformers' classes over a decoder: scores of the last token, scores of every token, ends of an answer. */
export function decoderHeads<C extends ModelConfig>({
  token = genericToken,
  width,
  answers = true
}: DecoderHeads<C> = {}): (config: C, task: HeadTask) => HeadDescription | null {
  return ({ raw }, task) => {
    if (task === 'SEQ_CLS') return linearHead({ name: 'score', bias: false, takes: 'last', width })
    if (task === 'TOKEN_CLS') {
      const isBare = token === genericToken && isJsonObject(raw) && raw.token_classification_bias === false
      return linearHead({ ...token, bias: !isBare, width })
    }
    return task === 'QUESTION_ANS' && answers ? linearHead({ name: 'qa_outputs', width }) : null
  }
}
