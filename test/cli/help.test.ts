// Help says of every option what it does and what holds without it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProgram } from '../../cli/program.ts'
import { peftKeys } from '../../client/index.ts'

const program = createProgram()
const visible = program.commands.flatMap(command =>
  command.options.filter(({ hidden }) => !hidden).map(option => ({ command, option }))
)

test('every option has a meaning, and one that takes a value its default', () => {
  const unsaid: string[] = []
  for (const { command, option } of visible) {
    const where = `${command.name()} ${option.flags}: ${option.description}`
    assert.match(option.description, /\w{2,} \S/, where)
    const says = /default|required/.test(option.description) || option.defaultValue !== undefined || option.mandatory
    const takesValue = option.required && !['model', 'trainFile', 'outputDir'].includes(option.attributeName())
    if (takesValue && !says) unsaid.push(where)
  }
  assert.deepEqual(unsaid, [])
})

test('the options of serve, train, generate and chat stand in groups, and an example ends their help', () => {
  for (const name of ['serve', 'train', 'generate', 'chat']) {
    const command = program.commands.find(each => each.name() === name)!
    const groups = new Set(visible.filter(each => each.command === command).map(each => each.option.helpGroupHeading))
    assert.ok(groups.size >= 4 && !groups.has(undefined), `${name}: ${[...groups].join(' ')}`)
    let help = ''
    command.configureOutput({
      writeOut: text => {
        help += text
      }
    })
    command.outputHelp()
    const [, examples] = help.split(/\nExamples:\n/)
    assert.match(examples!, /^ {2}\$ swarm \w+ .*/)
    for (const line of examples!.trimEnd().split('\n')) assert.match(line, /^ {2}\$ .*swarm /)
  }
})

test('the flags of adapters say what they mean, under the methods that know them', () => {
  const train = program.commands.find(each => each.name() === 'train')!
  for (const key of peftKeys) {
    const option = train.options.find(({ long }) => long === `--${key.replaceAll('_', '-')}`)!
    assert.match(option.helpGroupHeading!, /^Adapter/, key)
    assert.doesNotMatch(option.description, /^[A-Z_, ]+(?: \(|$)/, key)
  }
})
