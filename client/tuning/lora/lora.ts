// LoRA (Hu et al. 2021): a linear module's output gets `scaling * B A x` added. Knows no server and no optimizer.
import { SwarmError } from '../../../common/errors.ts'
import { type DataOf, type Float32Tensor, type Tensor, tensor } from '../../../common/tensor.ts'
import { portName } from '../../../model/layers/ports.ts'
import { transpose } from '../../local/changed-weight.ts'
import { addGradient, type Parameter, parameter } from '../../local/parameter.ts'
import { checkClientDropout, clientDropoutCheck, targetPort } from '../client-ports.ts'
import type { CreateOptions, PortTensors, TuningMethod, TuningTarget } from '../method.ts'
import { clientModulesOf, resolveTargets, type TargetModule, targetNames } from '../targets.ts'
import { trainedBiases } from './biases.ts'
import { asPlainLora, beginsFromWeight, type LoraSettings, ranksOf, takesOut, writeLoraConfig } from './config.ts'
import { initialAdapter, rowNorms, weightOf } from './from-weight.ts'
import { initializeA, initializeB, normalNumbers } from './initialize.ts'
import { withParameters } from './parameter-targets.ts'
import { floats, parameterAdapters } from './parameters.ts'
import { trainedTokens } from './tokens.ts'

/** The tensors of one module. */
interface Adapter {
  readonly target: TargetModule
  readonly a: Parameter
  readonly b: Parameter
  /** of DoRA */
  readonly magnitude: Parameter | null
  /** of B */
  readonly bias: Parameter | null
  readonly scaling: number
  /** first values whose product the weight has lost, as PEFT changes it; null where it is as it was */
  readonly first: { readonly a: DataOf<'float32'>; readonly b: DataOf<'float32'> } | null
}

/** The product of every element and `factor`. */
function scaled(values: DataOf<'float32'>, factor: number): DataOf<'float32'> {
  return values.map(value => value * factor)
}

/** Rows of two matrices [., columns], those of the second after those of the first. */
function stacked(columns: number, upper: DataOf<'float32'>, lower: DataOf<'float32'>): Float32Tensor {
  const data = new Float32Array(upper.length + lower.length)
  data.set(upper)
  data.set(lower, upper.length)
  return tensor('float32', [data.length / columns, columns], data)
}

/** Columns of two matrices [rows, .] beside each other. */
function beside(rows: number, left: DataOf<'float32'>, right: DataOf<'float32'>): Float32Tensor {
  const widths = [left.length / rows, right.length / rows] as const
  const width = widths[0] + widths[1]
  const data = new Float32Array(rows * width)
  for (let row = 0; row < rows; row++) {
    data.set(left.subarray(row * widths[0], (row + 1) * widths[0]), row * width)
    data.set(right.subarray(row * widths[1], (row + 1) * widths[1]), row * width + widths[0])
  }
  return tensor('float32', [rows, width], data)
}

/** Throws INVALID_ARGUMENT, UNSUPPORTED for what a module of this kind cannot begin with. */
function checkModule({ block, path }: TargetModule, r: number, { initLoraWeights, loraBias }: LoraSettings): void {
  if (initLoraWeights === 'orthogonal' && r % 2 !== 0) {
    throw new SwarmError('INVALID_ARGUMENT', `initLoraWeights: 'orthogonal' needs an even rank, found ${r} (${path})`)
  }
  if (loraBias && block === null) {
    throw new SwarmError(
      'UNSUPPORTED',
      `loraBias: ${path} is outside the blocks, where adapters have no bias (leave it out with excludeModules)`
    )
  }
}

/** The adapter of one module: with first values, or to be filled from a file. */
async function createAdapter(
  target: TargetModule,
  settings: LoraSettings,
  model: TuningTarget,
  { seed, initialize, signal }: CreateOptions
): Promise<Adapter> {
  const { module, path, stream } = target
  const { inFeatures, outFeatures } = module
  const { initLoraWeights, useDora, loraBias } = settings
  const { r, scaling } = ranksOf(settings, path)
  if (initialize) checkModule(target, r, settings)
  // a loaded adapter needs the weight only where its first values were taken out of it
  // of an embedding PEFT takes nothing out
  const init = module.isEmbedding && initLoraWeights !== 'mica' ? initLoraWeights !== false : initLoraWeights
  const fromWeight = initialize ? beginsFromWeight(init) : takesOut(init)
  const weight = fromWeight || (initialize && useDora) ? await weightOf(target, model, { signal }) : null
  const initial = fromWeight ? initialAdapter(weight!, { target, r, scaling, settings }) : null
  const values = { r, initLoraWeights }
  const newA = (): DataOf<'float32'> => {
    if (!module.isEmbedding) return initializeA(values, inFeatures, seed, ...stream)
    // as PEFT begins: A at zero, B normal
    return init === false ? normalNumbers(r * inFeatures, seed, ...stream, 0) : new Float32Array(r * inFeatures)
  }
  const newB = (): DataOf<'float32'> =>
    module.isEmbedding
      ? normalNumbers(outFeatures * r, seed, ...stream)
      : initializeB(values, outFeatures, seed, ...stream)
  const a = initialize ? (initial?.a.slice() ?? newA()) : undefined
  const b = initialize ? (initial?.b.slice() ?? newB()) : undefined
  const first = initial?.takesOut ? { a: initial.a, b: initial.b } : null
  const norms = (): DataOf<'float32'> | undefined => {
    if (!initialize) return undefined
    const changes = [{ a: a!, b: b!, factor: scaling }, ...(first === null ? [] : [{ ...first, factor: -scaling }])]
    return rowNorms(initial?.held ?? weight!, changes)
  }
  const name = `base_model.model.${path}`
  if (module.isEmbedding) {
    return {
      target,
      a: parameter(`${name}.lora_embedding_A`, [r, inFeatures], a),
      b: parameter(`${name}.lora_embedding_B`, [outFeatures, r], b),
      magnitude: useDora ? parameter(`${name}.lora_magnitude_vector`, [outFeatures], norms()) : null,
      bias: null,
      scaling,
      first
    }
  }
  return {
    target,
    a: parameter(`${name}.lora_A.weight`, [r, inFeatures], a),
    b: parameter(`${name}.lora_B.weight`, [outFeatures, r], b),
    magnitude: useDora ? parameter(`${name}.lora_magnitude_vector`, [outFeatures], norms()) : null,
    bias: loraBias ? parameter(`${name}.lora_B.bias`, [outFeatures]) : null,
    scaling,
    first
  }
}

/** The ports that an adapter fills. */
function* portsOf({ target, a, b, magnitude, bias, scaling, first }: Adapter): Generator<[string, Float32Tensor]> {
  const { block, module } = target
  const { inFeatures, outFeatures } = module
  const scaledB = scaled(b.data, scaling)
  if (module.isEmbedding) {
    // rows of its weight are inputs: the other way round than of linear modules
    yield [targetPort(target, 'A'), transpose(tensor('float32', b.shape, scaledB))]
    yield [targetPort(target, 'B'), transpose(tensor('float32', a.shape, a.data))]
    if (magnitude !== null) yield [targetPort(target, 'magnitude'), tensor('float32', magnitude.shape, magnitude.data)]
    return
  }
  if (first !== null && block === null) {
    // the client knows no dropout here: the pair holds what the weight has lost as well
    yield [targetPort(target, 'A'), stacked(inFeatures, a.data, first.a)]
    yield [targetPort(target, 'B'), beside(outFeatures, scaledB, scaled(first.b, -scaling))]
  } else {
    yield [targetPort(target, 'A'), tensor('float32', a.shape, a.data)]
    yield [targetPort(target, 'B'), tensor('float32', b.shape, scaledB)]
  }
  if (first !== null && block !== null) {
    yield [portName.base(block, module.name, 'A'), tensor('float32', a.shape, first.a)]
    yield [portName.base(block, module.name, 'B'), tensor('float32', b.shape, scaled(first.b, -scaling))]
  }
  if (magnitude !== null) yield [targetPort(target, 'magnitude'), tensor('float32', magnitude.shape, magnitude.data)]
  if (bias !== null)
    yield [portName.bias(block!, module.name), tensor('float32', bias.shape, scaled(bias.data, scaling))]
}

/** Adds what came back to the gradients. */
function accumulate(
  { target, a, b, magnitude, bias, scaling, first }: Adapter,
  gradients: Readonly<Record<string, { data: unknown }>>
): void {
  const of = (name: string) => gradients[name]?.data as Float32Array | undefined
  const [left, right] = [of(targetPort(target, 'A')), of(targetPort(target, 'B'))]
  const { isEmbedding } = target.module
  const turned = (values: Float32Array | undefined, [rows, columns]: readonly number[]) =>
    values && transpose(tensor('float32', [columns!, rows!], values as DataOf<'float32'>)).data
  const ofA = isEmbedding ? turned(right, a.shape) : left
  const ofB = isEmbedding ? turned(left, b.shape) : right
  const isJoined = first !== null && target.block === null
  const rank = a.shape[0]!
  if (ofA && a.requiresGrad) addGradient(a, isJoined ? ofA.subarray(0, a.data.length) : ofA)
  if (ofB && b.requiresGrad) {
    const own = isJoined ? ofB.filter((_, index) => index % (2 * rank) < rank) : ofB
    addGradient(b, own, scaling)
  }
  const ofMagnitude = of(targetPort(target, 'magnitude'))
  if (ofMagnitude && magnitude?.requiresGrad) addGradient(magnitude, ofMagnitude)
  const ofBias = bias && of(portName.bias(target.block!, target.module.name))
  if (ofBias && bias.requiresGrad) addGradient(bias, ofBias, scaling)
}

/** Ports of the same name added: a module's own bias and that of its B are one port. */
function joined(parts: Iterable<readonly [string, Float32Tensor]>): PortTensors {
  const ports: Record<string, Float32Tensor> = {}
  for (const [name, port] of parts) {
    const known = ports[name]
    ports[name] =
      known === undefined
        ? port
        : tensor(
            'float32',
            port.shape,
            port.data.map((value, index) => value + known.data[index]!)
          )
  }
  return ports
}

/**
 * The tensors without the weights of embedding and head that PEFT saves beside an adapter of them. Throws BAD_CHECKPOINT where these are
 * not the model's: then the adapter belongs to another.
 */
async function withoutBases(
  tensors: Readonly<Record<string, Tensor>>,
  { targets, target, path }: { targets: readonly TargetModule[]; target: TuningTarget; path: string }
): Promise<Readonly<Record<string, Tensor>>> {
  const rest = { ...tensors }
  for (const each of targets) {
    const name = `base_model.model.${each.path}.base_layer.weight`
    const saved = rest[name]
    if (each.module.tensor === undefined || saved === undefined) continue
    delete rest[name]
    const { shape, data } = await target.readWeight!(null, each.module.tensor.replace(/\.weight$/, ''))
    const values = floats(saved)
    if (saved.shape.join() !== shape.join() || values === null || values.some((value, at) => value !== data[at])) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${path}: tensor '${name}': the model has other values (is it of another base model, or has its vocabulary grown?)`
      )
    }
  }
  return rest
}

/** Throws UNSUPPORTED for first values that need what servers do not give. */
function checkInitialization({ initLoraWeights: init }: LoraSettings): void {
  if (init !== 'eva') return
  throw new SwarmError(
    'UNSUPPORTED',
    `initLoraWeights: '${init}' needs the inputs of the modules, which servers do not provide ` +
      '(begin the adapter with PEFT and load it)'
  )
}

/**
 * A `[r, in]` and B `[out, r]` for every module that the settings choose, and for every parameter. The blocks know no scaling: it is multiplied
 * onto B as it leaves, and onto B's gradient as it comes back.
 */
export async function createLora(
  given: LoraSettings,
  target: TuningTarget,
  options: CreateOptions
): Promise<TuningMethod<LoraSettings>> {
  const settings = withParameters(given, target)
  const { initLoraWeights } = settings
  const { initialize } = options
  if (initialize) checkInitialization(settings)
  const targets =
    settings.targetModules.length === 0
      ? []
      : resolveTargets(settings, target, initialize, undefined, target.namedModules)
  const adapters: Adapter[] = []
  // one after the other: one weight is in memory at a time
  for (const each of targets) adapters.push(await createAdapter(each, settings, target, options))
  const wholes = parameterAdapters(settings, target, options)
  const biases = await trainedBiases(settings.bias, targets, target, options)
  const names = targetNames(settings, target)
  // as PEFT sets it over Conv1D; how A and B lie does not depend on it
  const fanInFanOut = targets.length > 0 && targets.every(({ module }) => module.transposed)
  const isChanged = adapters.some(({ first }) => first !== null)

  const paths = new Set(targets.map(({ path }) => path))
  const tokens = await trainedTokens(settings, target, paths, options)
  const clientModules = clientModulesOf(targets)
  // PEFT drops nothing before an embedding
  const dropped = clientModules.filter(({ isEmbedding }) => !isEmbedding)
  if (initialize) checkClientDropout(settings.loraDropout, dropped)
  const fill = (onClient: boolean) =>
    adapters.filter(({ target: { block } }) => (block === null) === onClient).flatMap(adapter => [...portsOf(adapter)])

  const method: TuningMethod<LoraSettings> = {
    config: settings,
    parameters: [
      ...adapters.flatMap(({ a, b, magnitude, bias }) => [a, b, magnitude ?? [], bias ?? []].flat()),
      ...wholes.parameters,
      ...biases.parameters,
      ...tokens.parameters
    ],
    // B stays at the singular vectors that it began as, as in PEFT
    frozen: initLoraWeights === 'mica' ? adapters.map(({ b }) => b) : undefined,
    dropout: settings.loraDropout,
    modulesToSave: settings.modulesToSave,
    clientBiases: settings.bias === 'all',
    tiesWeights: settings.ensureWeightTying,
    virtualTokens: 0,
    begin: clientDropoutCheck(settings.loraDropout, dropped, () => method),
    ports: () => joined([...Object.entries(biases.ports()), ...Object.entries(wholes.ports()), ...fill(false)]),
    clientModules,
    weightChanges: tokens.changes,
    clientPorts: () => joined(fill(true)),
    promptEmbeddings: () => null,
    accumulatePorts(gradients) {
      for (const adapter of adapters) accumulate(adapter, gradients)
      wholes.accumulate(gradients)
      biases.accumulate(gradients)
    },
    accumulatePrompt() {},
    async saved({ initialization = 'converted' } = {}) {
      const own = method.parameters.map(({ name, shape, data }) => [name, tensor('float32', shape, data)] as const)
      const tensors: Record<string, Float32Tensor> = Object.fromEntries(own)
      if (initialization === 'kept') return tensors
      for (const { target, a, b, first } of adapters) {
        if (first === null) continue
        tensors[a.name] = stacked(target.module.inFeatures, a.data, first.a)
        tensors[b.name] = beside(target.module.outFeatures, b.data, scaled(first.b, -1))
      }
      return tensors
    },
    fromSaved: async (tensors, path) => await withoutBases(wholes.fromSaved(tensors), { targets, target, path }),
    describe: ({ initialization = 'converted' }) =>
      writeLoraConfig(
        isChanged && initialization === 'converted' ? asPlainLora(settings) : settings,
        names,
        fanInFanOut
      )
  }
  if (initLoraWeights === 'mica' && initialize) for (const frozen of method.frozen!) frozen.requiresGrad = false
  return method
}
