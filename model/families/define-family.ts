// A family from its description: names, shapes and graphs in one way for all.

import type { ModelConfig } from '../config/config.ts'
import type { Family } from '../family.ts'
import { decoderHeads } from '../layers/heads.ts'
import { portModulesOf } from '../spans/blocks.ts'
import { clientGraphs } from '../spans/client-graphs.ts'
import { crossSpan } from '../spans/cross-span.ts'
import { decodeSpan } from '../spans/decode-span.ts'
import { decoderInputs } from '../spans/decoder-inputs.ts'
import type { FamilyDescription } from '../spans/description.ts'
import { blockBiasesOf, blockNormsOf, blockTensorsOf, clientTensorsOf } from '../spans/expected-tensors.ts'
import { forwardSpan } from '../spans/forward-span.ts'
import { gainSpan } from '../spans/gain-span.ts'

/** In a base model, as FEATURE_EXTRACTION has it, paths of modules lack the name of the base model in the whole one. */
function pathInBase(task: string, path: string): string {
  return task === 'FEATURE_EXTRACTION' ? path.slice(path.indexOf('.') + 1) : path
}

/** The contract's parts, each from what the description says. */
export function defineFamily<C extends ModelConfig>(given: FamilyDescription<C>): Family {
  const description = { taskHead: decoderHeads<C>(), ...given }
  // every configuration that a caller has was made by this family's parseConfig
  const own = (config: ModelConfig): C => config as C
  const client = clientGraphs(description)
  return {
    modelTypes: description.modelTypes,
    parseConfig: raw => description.parseConfig(raw),
    withStored: (config, isStored) => description.withStored?.(own(config), isStored) ?? config,
    generationDefaults: config => description.generationDefaults?.(own(config)) ?? {},
    blockTensors: (config, block) => blockTensorsOf(description, own(config), block),
    blockTensorNames: (config, block) => blockTensorsOf(description, own(config), block).map(({ name }) => name),
    clientTensors: config => clientTensorsOf(description, own(config)),
    clientAliases: config => description.aliases?.(own(config)) ?? {},
    clientTensorNames: config => description.clientTensorNames(own(config)),
    defaultTargets: description.defaultTargets,
    linearModules: (config, block) => description.linearModules(own(config), block),
    clientLinearModules: config => description.clientLinearModules?.(own(config)) ?? [],
    blockParameters: config => description.blockParameters?.(own(config)) ?? [],
    portModules: (config, block) => portModulesOf(description, own(config), block),
    blockBiases: (config, block) => blockBiasesOf(description, own(config), block),
    blockNorms: (config, block) => blockNormsOf(description, own(config), block),
    moduleWeightName: (config, block, module) => `${description.blockPath(block, own(config))}.${module}`,
    forwardSpan: (config, options) => forwardSpan(description, own(config), options),
    decodeSpan: (config, options) => decodeSpan(description, own(config), options),
    crossSpan: (config, options) => crossSpan(description, own(config), options),
    gainSpan: (config, options) => gainSpan(description, own(config), options),
    embed: (config, options) => client.embed(own(config), options),
    embeddingScale: config => description.embeddingScale?.(own(config)) ?? 1,
    enter: (config, options) => client.enter(own(config), options),
    head: (config, options) => client.head(own(config), options),
    decoderInputs: (config, labels) => decoderInputs(config, labels, description.startsWithLast?.(own(config))),
    headLoss: (config, options) => client.headLoss(own(config), options),
    features: (config, options) => client.features(own(config), options),
    featureWidth: config =>
      description.featureWidth?.(own(config)) ?? description.embeddingWidth?.(own(config)) ?? config.hiddenSize,
    positionRule: config => description.positionRule?.(own(config)) ?? { counts: 'tokens' },
    tokenTypes: config => description.tokenTypes?.(own(config)) ?? 0,
    pooler: config => description.pooler?.(own(config)) ?? null,
    taskHead: (config, task) => description.taskHead(own(config), task),
    taskGraph: (config, options) => client.taskGraph(own(config), options),
    pathIn: (config, task, path) => description.pathIn?.(own(config), task, path) ?? pathInBase(task, path),
    rotaryTables: (config, positions, length) => description.rotaryTables(own(config), positions, length)
  }
}
