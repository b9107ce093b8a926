// The provider of the AI SDK: what `import … from 'swarmtune/ai-sdk'` gives.
import '../../common/platform/node-release.ts' // before all that a Node too old for it cannot load

export { createSwarm, type SwarmModel, type SwarmProvider } from './provider.ts'
export type { SwarmOptions } from './request.ts'
