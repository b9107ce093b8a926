// A folder of adapters over one swarm: what is there, what comes, what is broken, what changes and what goes.
import assert from 'node:assert/strict'
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { getPeftModel } from '../../../client/index.ts'
import { silent } from '../../../common/logger.ts'
import { AdapterFolder } from '../../../gateway/models/adapter-folder.ts'
import { gatewayOver, served } from '../../../testing/gateway.ts'
import { useSwarm } from '../../../testing/swarm.ts'
import { temporaryFolder } from '../../model/support.ts'

describe('a folder of adapters', () => {
  const used = useSwarm([[0, 12]])

  /** An adapter that changes answers: its B matrices are not zero. */
  async function saveAdapter(folder: string, seed: number): Promise<void> {
    const model = await getPeftModel(
      used.model,
      { peftType: 'LORA', r: 4, loraAlpha: 64, loraDropout: 0, targetModules: 'all-linear' },
      { seed }
    )
    for (const { name, data } of model.parameters()) if (/lora_B/.test(name)) data.fill(seed / 50)
    await model.savePretrained(folder)
    await model.unload()
  }

  it('serves adapters by name, follows the folder, and leaves out what is broken', async context => {
    const folder = await temporaryFolder(context)
    await saveAdapter(join(folder, 'one'), 1)
    await mkdir(join(folder, 'empty'))
    const { api, context: gateway } = gatewayOver([served(used.model)])
    const told: string[] = []
    const { models, open } = gateway
    const adapters = new AdapterFolder(
      { models, logger: silent, unused: id => open.unused(id), tell: line => told.push(line) },
      folder
    )
    context.after(() => adapters[Symbol.asyncDispose]())
    const ids = () => models.list().map(({ id }) => id)
    const complete = async (model: string): Promise<string> => {
      const body = JSON.stringify({ model, prompt: 'It was a dark', max_tokens: 6, temperature: 0 })
      const answer = await api.request('/v1/completions', { method: 'POST', body })
      const text = await answer.text()
      return answer.status === 200 ? JSON.parse(text).choices[0].text : JSON.parse(text).error.code
    }

    await adapters.start()
    assert.deepEqual(ids(), ['tiny', 'one'])
    assert.deepEqual(told, ["serving adapter 'one' over tiny"])
    const [base, one] = [await complete('tiny'), await complete('one')]
    assert.notEqual(one, base)

    // one that comes while the gateway runs: served at the second look at the same files
    await saveAdapter(join(folder, 'two'), 2)
    await adapters.look()
    assert.equal(await complete('two'), 'model_not_found')
    await adapters.look()
    assert.notEqual(await complete('two'), one)

    // broken ones are told once, and mended ones served
    await cp(join(folder, 'one'), join(folder, 'cut'), { recursive: true })
    const tensors = join(folder, 'cut/adapter_model.safetensors')
    const whole = await readFile(tensors)
    await writeFile(tensors, whole.subarray(0, 1000))
    await cp(join(folder, 'cut'), join(folder, 'bad\u202e'), { recursive: true })
    await cp(join(folder, 'one'), join(folder, 'tiny'), { recursive: true })
    for (let look = 0; look < 3; look++) await adapters.look()
    assert.deepEqual(ids(), ['tiny', 'one', 'two'])
    const broken = told.filter(line => line.includes('is left out'))
    assert.equal(broken.length, 3)
    assert.match(broken[0]!, /^adapter .*bad\\u202e is left out: .*bad\\u202e/)
    assert.match(broken[1]!, /^adapter .*cut is left out: .*adapter_model\.safetensors/)
    assert.match(broken[2]!, /^adapter .*tiny is left out: another model is called 'tiny': rename the folder$/)
    await writeFile(tensors, whole)
    for (let look = 0; look < 2; look++) await adapters.look()
    assert.equal(await complete('cut'), one)

    // a run that is repeated into the same folder replaces its adapter; a damaged one does not
    await saveAdapter(join(folder, 'next'), 2)
    await rm(join(folder, 'one'), { recursive: true })
    await rename(join(folder, 'next'), join(folder, 'one'))
    for (let look = 0; look < 2; look++) await adapters.look()
    assert.equal(await complete('one'), await complete('two'))
    await writeFile(join(folder, 'one/adapter_model.safetensors'), 'x')
    for (let look = 0; look < 2; look++) await adapters.look()
    assert.equal(await complete('one'), await complete('two'))

    await rm(join(folder, 'two'), { recursive: true })
    await adapters.look()
    assert.equal(await complete('two'), 'model_not_found')
    assert.equal(told.at(-1), "adapter 'two' is gone")
    assert.equal(await complete('tiny'), base)
  })

  it('takes a folder that is an adapter itself, and says where there is none', async context => {
    const folder = join(await temporaryFolder(context), 'capitals')
    await saveAdapter(folder, 3)
    const { context: gateway } = gatewayOver([served(used.model)])
    const components = { models: gateway.models, logger: silent, unused: async () => {}, tell: () => {} }
    const adapters = new AdapterFolder(components, folder)
    await adapters.start()
    assert.deepEqual(
      gateway.models.list().map(({ id, baseId, folder: from }) => [id, baseId, from]),
      [
        ['tiny', null, null],
        ['capitals', 'tiny', folder]
      ]
    )
    await adapters[Symbol.asyncDispose]()
    await assert.rejects(new AdapterFolder(components, join(folder, 'none')).start(), { code: 'NOT_FOUND' })
  })
})
