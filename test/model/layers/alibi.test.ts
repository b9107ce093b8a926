import assert from 'node:assert/strict'
import { test } from 'node:test'
import { int64 } from '../../../common/tensor.ts'
import { GraphBuilder } from '../../../graph/builder.ts'
import { openCheckpoint } from '../../../model/checkpoint/checkpoint.ts'
import { falcon } from '../../../model/families/falcon/index.ts'
import { alibiSlopes } from '../../../model/layers/alibi.ts'
import { positionBias } from '../../../model/layers/attention.ts'
import { createSession } from '../../../runtime/session.ts'
import { familyPath, readFamilyReference } from '../families/families.ts'

test("the biases of Falcon-RW are rounded as transformers' are, up to its last position", async () => {
  const { config } = await openCheckpoint(familyPath('falcon-rw'))
  assert.deepEqual(falcon.rotaryTables(config, 4), {})
  const expected = (await readFamilyReference('falcon-rw'))['alibi.bias']!
  const g = new GraphBuilder('alibi')
  const positions = g.input('positions', 'int64', ['keys'])
  g.output('bias', positionBias(g, { slopes: alibiSlopes(config.numHeads), rounded: true }, positions))
  await using session = await createSession(g.build(), { threads: 1, inline: true })
  const every = Array.from({ length: expected.shape[1]! }, (_, index) => 7 * index)
  assert.ok(every.at(-1)! > 2000)
  const { bias } = await session.run({ positions: int64([every.length], every) })
  assert.deepEqual([...bias!.data], [...expected.data])
})
