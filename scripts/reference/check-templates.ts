// Compares our rendering of all chat templates of a folder with transformers': see templates.py.
//   node scripts/reference/check-templates.ts FILE   (what `templates.py FOLDER --all FILE` wrote)
import { readFileSync } from 'node:fs'
import { SwarmError } from '../../common/errors.ts'
import { type ChatMessage, renderAssistantTurns, renderChat } from '../../model/text/chat-template.ts'
import { parseJson } from '../../model/text/exact-json.ts'

type Result = readonly [string, (readonly [number, number])[]?] | { readonly error?: string; readonly raised?: string }

interface Reference {
  readonly templates: Readonly<Record<string, string>>
  readonly conversations: Readonly<Record<string, string>>
  readonly specialTokens: Readonly<Record<string, string>>
  readonly cases: readonly (readonly [string, string, boolean, Result])[]
}

const now = (): Date => new Date(2026, 2, 7, 15, 4, 5)
const reference = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as Reference
const templates = new Map(
  Object.entries(reference.templates).map(([name, source]) => [
    name,
    { source, specialTokens: reference.specialTokens, file: name }
  ])
)
const codePoints = (text: string, units: number): number => Array.from(text.slice(0, units)).length

let same = 0
let different = 0
for (const [name, kind, addGenerationPrompt, expected] of reference.cases) {
  const { messages, ...variables } = parseJson(reference.conversations[kind]!) as { messages: ChatMessage[] }
  const template = templates.get(name)!
  let found: Result
  try {
    const text = renderChat(template, messages, { addGenerationPrompt, variables, now })
    found = [text]
    if (Array.isArray(expected) && expected[1] !== undefined && !addGenerationPrompt) {
      const turns = renderAssistantTurns(template, messages, { variables, now })
      found = [turns.text, turns.assistant.map(({ start, end }) => [codePoints(text, start), codePoints(text, end)])]
    }
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error
    const [, words] = error.message.split(': the chat template refuses the messages: ')
    found = words === undefined ? { error: error.message } : { raised: words }
  }
  const asked = Array.isArray(expected) && addGenerationPrompt ? [expected[0]] : expected
  const isSame =
    'error' in asked
      ? 'error' in found && !found.error!.includes('cannot be read')
      : JSON.stringify(asked) === JSON.stringify(found)
  if (isSame) same++
  else {
    different++
    console.log(JSON.stringify({ name, kind, addGenerationPrompt, expected: asked, found }, null, 2))
  }
}
console.log(`${same} of ${same + different} conversations are the same`)
process.exitCode = different === 0 ? 0 : 1
