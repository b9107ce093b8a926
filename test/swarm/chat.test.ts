// A chat model from the command line: its template comes with it, whichever way the model came.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { startServers } from '../../cli/peer/local-swarm.ts'
import { second } from '../../common/units.ts'
import { copyModel, temporaryFolder, tinyPath } from '../model/support.ts'

const run = promisify(execFile)
const bin = join(import.meta.dirname, '../../cli/bin.js')

const template = `{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

test('swarm generate --chat answers a message as its template writes it', { timeout: 120 * second }, async context => {
  const model = await copyModel(context, tinyPath)
  const home = await temporaryFolder(context)
  const env = { SWARM_HOME: home, HF_ENDPOINT: 'http://127.0.0.1:1' }
  const generate = async (...args: string[]): Promise<string> => {
    const all = ['generate', ...args, '--join', server!.address, '--max-new-tokens', '12']
    return (await run(process.execPath, [bin, ...all], { env: { ...process.env, ...env }, timeout: 60 * second }))
      .stdout
  }
  await writeFile(join(model, 'chat_template.jinja'), template)
  const [server] = await startServers(model, [{ first: 0, end: 12 }], { env })
  try {
    const text = '<|im_start|>system\nShort.<|im_end|>\n<|im_start|>user\nCall me<|im_end|>\n<|im_start|>assistant\n'
    const plain = await generate(model, text, '--special-tokens')
    assert.notEqual(await generate(model, text), plain)
    assert.ok(plain.trim().length > 0)
    assert.equal(await generate(model, 'Call me', '--chat', '--system', 'Short.'), plain)
    assert.notEqual(await generate(model, 'Call me', '--chat'), plain)
    // a client that has the model from its peers has the template, too
    assert.equal(await generate('model', 'Call me', '--system', 'Short.', '--from-peers'), plain)
    // one of another file; the original model has none
    const given = join(home, 'other.jinja')
    await writeFile(given, template.replace('im_start|>{{', 'im_start|>{{ bos_token }}{{'))
    const other = await generate(tinyPath, 'Call me', '--system', 'Short.', '--chat-template', given)
    assert.notEqual(other, plain)
    await assert.rejects(
      generate(tinyPath, 'Call me', '--chat'),
      /no chat template \(a base model\?\).*--chat-template/
    )
    await assert.rejects(
      generate(tinyPath, 'a', '--chat-template', '/nowhere'),
      /--chat-template \/nowhere: no such file/
    )
  } finally {
    await server!.stop()
  }
})
