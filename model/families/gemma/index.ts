// Gemma, Gemma 2 and the text part of Gemma 3: local blocks between global ones, soft-capped scores and logits, scaled embeddings.

import type { AttentionKind, RotaryKind } from '../../layers/attention.ts'
import { decoderHeads } from '../../layers/heads.ts'
import { rmsNormTensors } from '../../layers/norms.ts'
import { rotaryTables } from '../../layers/rotary-tables.ts'
import { defineFamily } from '../define-family.ts'
import { gemmaBlock, normOptions } from './block.ts'
import { type GemmaConfig, gemmaModelTypes, parseGemmaConfig } from './config.ts'
import { gemmaClientTensorNames, gemmaLinearModules, gemmaNormTensors } from './tensors.ts'

function attention({ headDim, traits }: GemmaConfig, block: number): AttentionKind {
  const global: RotaryKind = { cos: 'cos', sin: 'sin', dims: headDim }
  const local: RotaryKind = { cos: 'cos.local', sin: 'sin.local', dims: headDim }
  return {
    scale: traits.scale,
    softcap: traits.softcap ?? undefined,
    window: traits.windows[block] ?? undefined,
    rotary: traits.isLocal[block] && traits.localRope !== null ? local : global
  }
}

export const gemma = defineFamily({
  modelTypes: gemmaModelTypes,
  parseConfig: parseGemmaConfig,
  blockPath: block => `model.layers.${block}`,
  linearModules: gemmaLinearModules,
  defaultTargets: ['q_proj', 'v_proj'],
  biasedModules: config => config.biasedModules,
  otherTensors: gemmaNormTensors,
  attention,
  block: gemmaBlock,
  clientTensorNames: gemmaClientTensorNames,
  clientTensors: ({ hiddenSize }) => rmsNormTensors(['model.norm'], hiddenSize),
  embeddingScale: ({ hiddenSize }) => Math.fround(Math.sqrt(hiddenSize)),
  leave: ({ config, scope }, hidden) => scope.rmsNorm(hidden, 'model.norm', normOptions(config)),
  finish({ g, config }, logits) {
    const { logitSoftcap } = config.traits
    if (logitSoftcap === null) return logits
    return g.Mul(g.Tanh(g.Div(logits, g.constant(logitSoftcap))), g.constant(logitSoftcap))
  },
  taskHead: decoderHeads({ answers: false }),
  rotaryTables({ rope, headDim, traits }, positions, length) {
    const tables = rotaryTables(rope, headDim, positions, length)
    if (traits.localRope === null) return tables
    const { cos, sin } = rotaryTables(traits.localRope, headDim, positions, length)
    return { ...tables, 'cos.local': cos, 'sin.local': sin }
  }
})
