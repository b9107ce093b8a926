// Biases of blocks that LoRA, and methods like it, train beside their matrices. A parameter is the whole bias, as in PEFT's files; a port carries
// what was added to the model's own.
import { SwarmError } from '../../../common/errors.ts'
import { type DataOf, type Tensor, tensor } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import type { CreateOptions, PortTensors, TuningTarget } from '../method.ts'
import type { TargetModule } from '../targets.ts'

interface TrainedBias {
  readonly parameter: Parameter
  /** the model's own */
  readonly base: DataOf<'float32'>
  readonly port: string
}

export interface TrainedBiases {
  readonly parameters: readonly Parameter[]
  ports(): PortTensors
  accumulate(gradients: Readonly<Record<string, Tensor>>): void
}

/**
 * The biases of blocks that `bias` chooses, read from the checkpoint; none where the modules have none, as in PEFT. Those outside
 * the blocks are the client's own. Throws what reading throws.
 */
export async function trainedBiases(
  bias: 'none' | 'all' | `${string}_only`,
  targets: readonly TargetModule[],
  target: TuningTarget,
  { signal }: Pick<CreateOptions, 'signal'>
): Promise<TrainedBiases> {
  const { blockBiases = () => [] } = target
  const adapted = new Set(targets.map(({ path }) => path))
  const biases: TrainedBias[] = []
  for (let block = 0; bias !== 'none' && block < target.numBlocks; block++) {
    for (const { name, size } of blockBiases(block)) {
      const path = target.moduleWeightName(block, name)
      const isAdapted = adapted.has(path)
      if (bias !== 'all' && !isAdapted) continue
      if (target.readBias === undefined) throw new SwarmError('INTERNAL', 'biases: the checkpoint cannot be read')
      const { data } = await target.readBias(block, name, { signal })
      biases.push({
        // PEFT puts what it adapts one level deeper
        parameter: parameter(`base_model.model.${path}${isAdapted ? '.base_layer' : ''}.bias`, [size], data.slice()),
        base: data,
        port: portName.bias(block, name)
      })
    }
  }
  return {
    parameters: biases.map(each => each.parameter),
    ports: () =>
      Object.fromEntries(
        biases.map(({ parameter: { data, shape }, base, port }) => [
          port,
          tensor(
            'float32',
            shape,
            data.map((value, index) => value - base[index]!)
          )
        ])
      ),
    accumulate(gradients) {
      for (const { parameter: trained, port } of biases) {
        const gradient = gradients[port]
        if (gradient && trained.requiresGrad) addGradient(trained, gradient.data as Float32Array)
      }
    }
  }
}
