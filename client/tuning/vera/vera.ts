// VeRA (Kopiczko et al. 2023, arXiv 2310.11454): one pair of random projections for all modules, and vectors of each module that scale
// them. Knows no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { createRandom } from '../../../common/random.ts'
import { type DataOf, type Float32Tensor, float32, type Tensor } from '../../../common/tensor.ts'
import { convertToFloat32, isWeightDtype } from '../../../model/formats/convert.ts'
import { dataBytes } from '../../../model/formats/safetensors/encoding.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import { checkClientDropout, clientDropoutCheck, targetPort } from '../client-ports.ts'
import { normalValues } from '../encoder.ts'
import { trainedBiases } from '../lora/biases.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { clientModulesOf, resolveTargets, type TargetModule, targetNames } from '../targets.ts'
import { type VeraSettings, writeVeraConfig } from './config.ts'
import { torchUniform } from './torch-random.ts'

interface Adapter {
  readonly target: TargetModule
  /** [out] */
  readonly b: Parameter
  /** [r] */
  readonly d: Parameter
}

/** A [r, widest input] and B [widest output, r]: modules take the columns and rows that they need. */
interface Projections {
  readonly a: Float32Tensor
  readonly b: Float32Tensor
}

const names = { a: 'base_model.vera_A', b: 'base_model.vera_B' } as const

/** As PEFT draws them (peft/tuners/vera/model.py, _kaiming_init): A first, then B. */
function drawProjections({ r, projectionPrngKey }: VeraSettings, widest: { in: number; out: number }): Projections {
  const uniform = torchUniform(projectionPrngKey)
  const kaiming = (rows: number, columns: number): Float32Tensor =>
    float32([rows, columns], uniform(rows * columns, Math.sqrt(3) * (Math.SQRT2 / Math.sqrt(columns))))
  const a = kaiming(r, widest.in)
  return { a, b: kaiming(widest.out, r) }
}

/** Copies a tensor of a file. Throws BAD_CHECKPOINT where it is missing or does not fit. */
function readProjection(
  into: Float32Tensor,
  name: string,
  tensors: Readonly<Record<string, Tensor>>,
  path: string
): void {
  const found = tensors[name]
  if (found === undefined) {
    throw new SwarmError(
      'BAD_CHECKPOINT',
      `${path}: tensor '${name}' is missing, and save_projection says that it is there`
    )
  }
  if (found.shape.join() !== into.shape.join() || !isWeightDtype(found.dtype)) {
    const expected = `expected floats [${into.shape}], found ${found.dtype} [${found.shape}]`
    throw new SwarmError('BAD_CHECKPOINT', `${path}: tensor '${name}': ${expected} (is it of another base model?)`)
  }
  convertToFloat32(dataBytes(found), found.dtype, into.data, 0)
}

/** d ∘ A and b ∘ B leave for the ports of a low-rank pair. */
export async function createVera(
  settings: VeraSettings,
  target: TuningTarget,
  options: CreateOptions
): Promise<TuningMethod<VeraSettings>> {
  const { seed, initialize } = options
  const { r, dInitial, initWeights, veraDropout, saveProjection } = settings
  const targets = resolveTargets(settings, target, initialize)
  const sizes = targets.map(({ module }) => module)
  const widest = {
    in: Math.max(...sizes.map(({ inFeatures }) => inFeatures)),
    out: Math.max(...sizes.map(({ outFeatures }) => outFeatures))
  }
  const shared = drawProjections(settings, widest)
  const adapters = targets.map((each): Adapter => {
    const { module, path, stream } = each
    const named = (part: string): string => `base_model.model.${path}.vera_lambda_${part}`
    const d = initWeights ? new Float32Array(r).fill(dInitial) : normalValues(r, createRandom(seed, ...stream))
    const b = new Float32Array(module.outFeatures).fill(initWeights ? 0 : 1)
    return {
      target: each,
      b: parameter(named('b'), [module.outFeatures], b),
      d: parameter(named('d'), [r], d)
    }
  })
  const biases = await trainedBiases(settings.bias, targets, target, options)
  const modules = targetNames(settings, target)
  const fanInFanOut = targets.every(({ module }) => module.transposed)
  const clientModules = clientModulesOf(targets)
  if (initialize) checkClientDropout(veraDropout, clientModules)

  /** Rows times their factors, of the first `columns` columns. */
  const scaled = ({ shape, data }: Float32Tensor, rows: number, columns: number, factors: DataOf<'float32'>) => {
    const width = shape[1]!
    const out = new Float32Array(rows * columns)
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        out[row * columns + column] = data[row * width + column]! * factors[row]!
      }
    }
    return float32([rows, columns], out)
  }
  /** Gradient of the factors from that of the scaled rows. */
  const ofFactors = ({ shape, data }: Float32Tensor, gradient: Tensor): DataOf<'float32'> => {
    const [rows, columns] = gradient.shape as [number, number]
    const width = shape[1]!
    const values = gradient.data as Float32Array
    return Float32Array.from({ length: rows }, (_, row) => {
      let sum = 0
      for (let column = 0; column < columns; column++)
        sum += data[row * width + column]! * values[row * columns + column]!
      return sum
    })
  }
  const fill = (onClient: boolean): PortTensors =>
    Object.fromEntries(
      adapters.flatMap(({ target: each, b, d }) => {
        if ((each.block === null) !== onClient) return []
        const { inFeatures, outFeatures } = each.module
        return [
          [targetPort(each, 'A'), scaled(shared.a, r, inFeatures, d.data)],
          [targetPort(each, 'B'), scaled(shared.b, outFeatures, r, b.data)]
        ]
      })
    )

  const method: TuningMethod<VeraSettings> = {
    config: settings,
    parameters: [...adapters.flatMap(({ b, d }) => [b, d]), ...biases.parameters],
    dropout: veraDropout,
    modulesToSave: settings.modulesToSave,
    clientBiases: settings.bias === 'all',
    virtualTokens: 0,
    begin: clientDropoutCheck(veraDropout, clientModules, () => method),
    ports: () => ({ ...biases.ports(), ...fill(false) }),
    clientModules,
    clientPorts: () => fill(true),
    promptEmbeddings: () => null,
    accumulatePorts(gradients) {
      for (const { target: each, b, d } of adapters) {
        const [ofA, ofB] = [gradients[targetPort(each, 'A')], gradients[targetPort(each, 'B')]]
        if (ofA && d.requiresGrad) addGradient(d, ofFactors(shared.a, ofA))
        if (ofB && b.requiresGrad) addGradient(b, ofFactors(shared.b, ofB))
      }
      biases.accumulate(gradients)
    },
    accumulatePrompt() {},
    async saved() {
      const own = method.parameters.map(({ name, shape, data }) => [name, float32(shape, data)] as const)
      const projections = saveProjection
        ? ([
            ['a', shared.a],
            ['b', shared.b]
          ] as const)
        : []
      return Object.fromEntries([...own, ...projections.map(([part, each]) => [names[part], each] as const)])
    },
    fromSaved(tensors, path) {
      const { [names.a]: _a, [names.b]: _b, ...others } = tensors
      // without them PEFT draws them from the key, even where the file has some
      if (saveProjection)
        for (const part of ['a', 'b'] as const) readProjection(shared[part], names[part], tensors, path)
      return others
    },
    describe: () => writeVeraConfig(settings, modules, fanInFanOut)
  }
  return method
}
