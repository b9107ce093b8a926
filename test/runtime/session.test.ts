import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { type Float32Tensor, float32, int64, type Tensor, tensor } from '../../common/tensor.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import type { Graph } from '../../graph/graph.ts'
import { createSession, sharedTensor } from '../../runtime/session.ts'

/** y = x + 1 for rows that are long enough to take a while */
function increment(): Graph {
  const g = new GraphBuilder('increment')
  g.output('y', g.Add(g.input('x', 'float32', ['rows', 'columns']), g.constant(1)))
  return g.build()
}

/** Inputs whose sizes depend on each other. */
function sized(): Graph {
  const g = new GraphBuilder('sized')
  const past = g.input('past', 'float32', ['batch', 'past', 2])
  const next = g.input('next', 'float32', ['batch', 'seq', 2])
  const all = g.input('all', 'float32', ['batch', 'past+seq', 2])
  g.output('y', g.Add(g.Concat([past, next], { axis: 1 }), all))
  return g.build()
}

const zeros = (...shape: number[]): Tensor => tensor('float32', shape)

describe('a run', () => {
  it('takes and gives every type of tensor', async () => {
    const g = new GraphBuilder('types')
    const whole = g.input('whole', 'int64', ['n'])
    const small = g.input('small', 'int32', ['n'])
    const truth = g.input('truth', 'bool', ['n'])
    g.output('wide', g.Where(truth, whole, g.Cast(small, { to: 'int64' })))
    g.output('narrow', g.Cast(whole, { to: 'int32' }))
    g.output('negated', g.Not(truth))
    g.output('real', g.Cast(small, { to: 'float32' }))
    for (const inline of [true, false]) {
      await using session = await createSession(g.build(), { inline })
      const outputs = await session.run({
        whole: int64([2], [2 ** 40, -3]),
        small: tensor('int32', [2], Int32Array.of(7, -8)),
        truth: tensor('bool', [2], Uint8Array.of(1, 0))
      })
      assert.deepEqual(outputs, {
        wide: int64([2], [2 ** 40, -8]),
        narrow: tensor('int32', [2], Int32Array.of(0, -3)),
        negated: tensor('bool', [2], Uint8Array.of(0, 1)),
        real: float32([2], [7, -8])
      })
    }
  })

  it('takes empty tensors', async () => {
    await using session = await createSession(increment(), { inline: true })
    assert.deepEqual(await session.run({ x: zeros(0, 3) }), { y: zeros(0, 3) })
  })

  it('may start while others are under way, each with its own result', async () => {
    await using session = await createSession(increment())
    await using other = await createSession(increment())
    const runs = Array.from({ length: 40 }, (_, i) => {
      const x = float32([50, 100], new Float32Array(5000).fill(i))
      return (i % 3 === 0 ? other : session).run({ x })
    })
    for (const [i, { y }] of (await Promise.all(runs)).entries()) {
      assert.ok((y as Float32Tensor).data.every(value => value === i + 1))
    }
  })

  it('leaves the event loop free', async () => {
    const g = new GraphBuilder('slow')
    let x = g.input('x', 'float32', ['n', 'n'])
    for (let i = 0; i < 8; i++) x = g.Tanh(g.MatMul(x, x))
    g.output('y', x)
    await using session = await createSession(g.build(), { threads: 1 })
    let turns = 0
    const timer = setInterval(() => turns++, 1)
    const started = performance.now()
    await session.run({ x: zeros(500, 500) })
    const elapsed = performance.now() - started
    clearInterval(timer)
    assert.ok(turns > 3, `${turns} turns of a 1 ms timer in ${elapsed} ms`)
  })

  it('writes into memory that it is given', async () => {
    await using session = await createSession(increment())
    const y = sharedTensor('float32', [2, 2])
    const outputs = await session.run({ x: float32([2, 2], [1, 2, 3, 4]) }, { outputs: { y } })
    assert.equal(outputs.y, y)
    assert.deepEqual([...y.data], [2, 3, 4, 5])
  })

  it('leaves feeds alone, unless they are given away', async () => {
    await using session = await createSession(increment())
    const x = float32([1, 3], [1, 2, 3])
    await session.run({ x })
    assert.deepEqual([...x.data], [1, 2, 3])
    const { y } = await session.run({ x }, { consume: ['x'] })
    assert.deepEqual([...(y as Float32Tensor).data], [2, 3, 4])
    assert.equal(x.data.length, 0)
  })

  it('copies only its part of a buffer that holds more', async () => {
    await using session = await createSession(increment())
    const whole = Float32Array.from({ length: 9 }, (_, i) => i)
    const view = tensor('float32', [1, 2], whole.subarray(3, 5))
    const { y } = await session.run({ x: view })
    assert.deepEqual([...(y as Float32Tensor).data], [4, 5])
    assert.equal(whole.length, 9)
  })
})

describe('a run refuses', () => {
  const refused = async (
    graph: Graph,
    feeds: Record<string, Tensor>,
    message: string,
    outputs?: Record<string, Tensor>
  ): Promise<void> => {
    await using session = await createSession(graph, { inline: true })
    await assert.rejects(session.run(feeds, { outputs }), { code: 'INVALID_ARGUMENT', message })
  }

  it('missing and unknown inputs', async () => {
    await refused(increment(), {}, 'graph increment, input x: expected float32[rows, columns], found only nothing')
    await refused(increment(), { x: zeros(1, 1), z: zeros(1) }, 'graph increment: expected inputs x, found z')
  })

  it('other types, ranks and fixed sizes', async () => {
    const what = 'graph increment, input x: expected float32[rows, columns], found '
    await refused(increment(), { x: int64([1, 1], [1]) }, `${what}int64[1, 1]`)
    await refused(increment(), { x: zeros(4) }, `${what}float32[4]`)
    const feeds = { past: zeros(1, 4, 3), next: zeros(1, 2, 2), all: zeros(1, 6, 2) }
    await refused(sized(), feeds, 'graph sized, input past: expected float32[batch, past, 2], found float32[1, 4, 3]')
  })

  it('a symbol of two sizes, and sums that are wrong', async () => {
    await refused(
      sized(),
      { past: zeros(2, 4, 2), next: zeros(3, 2, 2), all: zeros(2, 6, 2) },
      'graph sized, input next: expected float32[batch, seq, 2], found float32[3, 2, 2] (batch is 2 in past)'
    )
    await refused(
      sized(),
      { past: zeros(2, 4, 2), next: zeros(2, 2, 2), all: zeros(2, 7, 2) },
      'graph sized, input all: expected float32[batch, past+seq, 2], found float32[2, 7, 2] (past+seq is 6)'
    )
  })

  it('memory to write into that does not fit, or that the device thread does not see', async () => {
    await refused(
      increment(),
      { x: zeros(2, 2) },
      'graph increment, output y: expected float32[rows, columns], found float32[2, 3] (columns is 2 in x)',
      { y: zeros(2, 3) }
    )
    await refused(increment(), { x: zeros(2, 2) }, 'graph increment: expected outputs y, found z', { z: zeros(2, 2) })
    await using session = await createSession(increment())
    await assert.rejects(session.run({ x: zeros(2, 2) }, { outputs: { y: zeros(2, 2) } }), {
      code: 'INVALID_ARGUMENT',
      message: 'output y: expected shared memory to write into (see sharedTensor)'
    })
  })

  it('to start after release', async () => {
    const session = await createSession(increment(), { inline: true })
    await session.release()
    await session.release()
    await assert.rejects(session.run({ x: zeros(1, 1) }), { code: 'INTERNAL', message: /run after release/ })
  })
})

describe('a session', () => {
  it('refuses more threads than make sense', async () => {
    for (const threads of [0, 1.5, 9999]) {
      await assert.rejects(createSession(increment(), { threads }), {
        code: 'INVALID_ARGUMENT',
        message: /threads: expected 1 to \d+/
      })
    }
  })

  it('on a provider that is not there is UNSUPPORTED, and says which are', async () => {
    for (const inline of [true, false]) {
      await assert.rejects(createSession(increment(), { provider: 'coreml', inline }), {
        code: process.platform === 'darwin' ? 'INTERNAL' : 'UNSUPPORTED',
        message: /provider coreml: this build of ONNX Runtime has cpu/
      })
    }
  })

  it('is not made for a caller who gave up', async () => {
    await assert.rejects(createSession(increment(), { signal: AbortSignal.abort() }), { code: 'ABORTED' })
  })

  it('fails with what ONNX Runtime says, and the thread goes on', async () => {
    const g = new GraphBuilder('gather')
    g.output('y', g.Gather(g.input('x', 'float32', ['n']), g.input('at', 'int64', [1])))
    await using session = await createSession(g.build())
    await assert.rejects(session.run({ x: zeros(3), at: int64([1], [5]) }), {
      code: 'INTERNAL',
      message: /^running graph gather: .*Gather/
    })
    assert.equal((await session.run({ x: zeros(3), at: int64([1], [2]) })).y!.data.length, 1)
  })

  it('does not keep the process alive', async () => {
    const url = new URL('../../runtime/session.ts', import.meta.url)
    const builder = new URL('../../graph/builder.ts', import.meta.url)
    const program = `
      import { createSession } from '${url}'
      import { GraphBuilder } from '${builder}'
      const g = new GraphBuilder('neg')
      g.output('y', g.Neg(g.input('x', 'float32', [1])))
      const session = await createSession(g.build())
      const { y } = await session.run({ x: { dtype: 'float32', shape: [1], data: Float32Array.of(2) } })
      console.log(y.data[0])`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
      timeout: 20_000
    })
    assert.equal(stdout, '-2\n')
  })
})
