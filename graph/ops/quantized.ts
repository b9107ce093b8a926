// Products with matrices of 4 or 8 bits an element, quantized in blocks along the inner axis (MatMulNBits of
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md; ONNX DequantizeLinear 21, blocked).
import { type Call, reject, required, requiredFloat, type ValueType } from '../call.ts'
import type { Operator } from '../operator.ts'
import { sameShape } from '../shape.ts'

/**
 * Inputs: a [..., K]; values uint8 [N, K / block, block * bits / 8]: rows of the transposed matrix, of 4 bits two a byte, the first
 * in the low half; scales [N, K / block]; zeros uint8, of each row K / block, packed as the values are. Output [..., N].
 */
function inferMatMulNBits(call: Call): ValueType[] {
  const [a, scales] = [requiredFloat(call, 0), requiredFloat(call, 2)]
  const [values, zeros] = [required(call, 1), required(call, 3)]
  const { K, N, bits, block_size: block } = call.attributes as Record<string, number>
  const blocks = K! / block!
  if (a.shape.at(-1) !== K || !Number.isInteger(blocks)) reject(call, `rows of ${K}, of whole blocks`)
  const fits =
    values.dtype === 'uint8' &&
    sameShape(values.shape, [N!, blocks, (block! * bits!) / 8]) &&
    sameShape(scales.shape, [N!, blocks]) &&
    zeros.dtype === 'uint8' &&
    sameShape(zeros.shape, [N!, Math.ceil((blocks * bits!) / 8)])
  if (!fits) reject(call, `values, scales and zeros of ${N} rows of ${blocks} blocks of ${bits} bits`)
  return [{ dtype: 'float32', shape: [...a.shape.slice(0, -1), N!] }]
}

function inferDequantizeLinear(call: Call): ValueType[] {
  const [x, scales, zeros] = [required(call, 0), requiredFloat(call, 1), required(call, 2)]
  const [rows, columns] = x.shape
  if ((x.dtype !== 'uint8' && x.dtype !== 'uint4') || zeros.dtype !== x.dtype || x.shape.length !== 2) {
    reject(call, 'uint8 or uint4 [rows, columns] with zeros of that type')
  }
  const blocks = [rows!, (columns as number) / (call.attributes.block_size as number)]
  if (!sameShape(scales.shape, blocks) || !sameShape(zeros.shape, blocks)) {
    reject(call, `scales and zeros [${blocks}]`)
  }
  return [{ dtype: 'float32', shape: x.shape }]
}

export const quantized = {
  MatMulNBits: {
    domain: 'com.microsoft',
    attributes: { K: 'int', N: 'int', bits: 'int', block_size: 'int', accuracy_level: 'int' },
    infer: inferMatMulNBits,
    // fast only over a rearranged copy of the matrix in memory: training graphs dequantize a mapped one instead
    gradient: null
  },
  DequantizeLinear: {
    attributes: { axis: 'int', block_size: 'int' },
    infer: inferDequantizeLinear,
    // integers are not trained
    gradient: null,
    cheap: true,
    perUse: { smallest: 1 }
  }
} satisfies Record<string, Operator>
