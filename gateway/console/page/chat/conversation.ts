// Conversations, and where they are kept: in this browser alone. Knows no network and draws nothing.

/** How an answer is sampled. Undefined: as the model's own settings say. */
export interface ChatSettings {
  readonly system?: string
  readonly temperature?: number
  readonly topP?: number
  readonly topK?: number
  readonly minP?: number
  readonly maxTokens?: number
  readonly presencePenalty?: number
  readonly frequencyPenalty?: number
  readonly seed?: number
  /** one a line */
  readonly stop?: string
}

/** What was measured while an answer came. */
export interface AnswerStats {
  /** milliseconds from the request to the first piece of text */
  readonly firstMs: number
  /** milliseconds from the first piece to the last */
  readonly restMs: number
  readonly promptTokens?: number
  readonly completionTokens?: number
}

export interface Answer {
  readonly model: string
  readonly text: string
  readonly thoughts: string
  readonly state: 'running' | 'done' | 'stopped' | 'failed'
  /** why it ended, in OpenAI's words */
  readonly finish?: string
  readonly failure?: string
  readonly stats?: AnswerStats
}

/** What the person wrote, and the answer of each lane. */
export interface Turn {
  readonly text: string
  readonly answers: readonly (Answer | null)[]
}

export interface Conversation {
  readonly id: string
  /** Unix time of the last change, in milliseconds */
  readonly changed: number
  /** `complete` continues a text, with models that have no chat template */
  readonly mode: 'chat' | 'complete'
  /** models that answer, side by side: one or two */
  readonly lanes: readonly string[]
  readonly settings: ChatSettings
  readonly turns: readonly Turn[]
}

export function newConversation(lanes: readonly string[], mode: Conversation['mode']): Conversation {
  return { id: crypto.randomUUID(), changed: Date.now(), mode, lanes, settings: {}, turns: [] }
}

/** What a list calls the conversation. */
export function titleOf({ turns }: Conversation): string {
  const text = turns[0]?.text.trim().replace(/\s+/g, ' ') ?? ''
  return text === '' ? 'New conversation' : text.length > 60 ? `${text.slice(0, 59)}…` : text
}

const storeName = 'swarmtune.conversations'
/** most conversations that are kept, and characters of all of them as JSON: browsers give 5 MiB */
const mostConversations = 100
const mostCharacters = 2_000_000

/** An answer that was running when the page was closed has stopped. */
const settled = (answer: Answer | null): Answer | null =>
  answer?.state === 'running' ? { ...answer, state: 'stopped' } : answer

/** Newest first. What cannot be read is left out. */
export function loadConversations(): Conversation[] {
  try {
    const found = JSON.parse(localStorage.getItem(storeName) ?? '[]') as Conversation[]
    return found
      .filter(({ id, lanes, turns }) => typeof id === 'string' && Array.isArray(lanes) && Array.isArray(turns))
      .map(each => ({
        ...each,
        turns: each.turns.map(turn => ({ ...turn, answers: turn.answers.map(settled) }))
      }))
  } catch {
    return []
  }
}

/** Keeps the newest that fit. Returns how many of the oldest were dropped. */
export function saveConversations(all: readonly Conversation[]): number {
  const newest = all.filter(({ turns }) => turns.length > 0).toSorted((a, b) => b.changed - a.changed)
  const kept: Conversation[] = []
  let characters = 0
  for (const each of newest.slice(0, mostConversations)) {
    characters += JSON.stringify(each).length
    if (characters > mostCharacters && kept.length > 0) break
    kept.push(each)
  }
  for (;;) {
    try {
      localStorage.setItem(storeName, JSON.stringify(kept))
      return newest.length - kept.length
    } catch {
      // the browser has less room than expected
      if (kept.length <= 1) return newest.length
      kept.pop()
    }
  }
}

export interface WireMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** Messages of a lane up to the turn `end`, whose answer is asked for. */
export function messagesOf({ settings, turns }: Conversation, lane: number, end: number): WireMessage[] {
  const system = settings.system?.trim() ? [{ role: 'system' as const, content: settings.system }] : []
  return [
    ...system,
    ...turns.slice(0, end + 1).flatMap(({ text, answers }, at): WireMessage[] => {
      const answer = at < end ? answers[lane] : null
      return [
        { role: 'user', content: text },
        ...(answer ? [{ role: 'assistant' as const, content: answer.text }] : [])
      ]
    })
  ]
}

/** A row of training data for each lane, as `swarm train` reads them. */
export function toTrainingRows(conversation: Conversation): string {
  const { lanes, turns, mode } = conversation
  const rows = lanes.flatMap((_, lane): object[] => {
    const answered = turns.filter(({ answers }) => answers[lane]?.text)
    if (answered.length === 0) return []
    if (mode === 'complete') {
      return answered.map(({ text, answers }) => ({ prompt: text, completion: answers[lane]!.text }))
    }
    const whole = { ...conversation, turns: answered }
    const last = answered.at(-1)!.answers[lane]!.text
    return [{ messages: [...messagesOf(whole, lane, answered.length - 1), { role: 'assistant', content: last }] }]
  })
  return rows.map(row => `${JSON.stringify(row)}\n`).join('')
}

export function toMarkdown(conversation: Conversation): string {
  const { lanes, turns, settings, mode } = conversation
  const parts = [`# ${titleOf(conversation)}`]
  if (settings.system?.trim()) parts.push(`## System\n\n${settings.system}`)
  for (const { text, answers } of turns) {
    parts.push(`## ${mode === 'chat' ? 'User' : 'Prompt'}\n\n${text}`)
    for (const [lane, answer] of answers.entries()) {
      if (answer) parts.push(`## ${answer.model || lanes[lane]}\n\n${answer.text}`)
    }
  }
  return `${parts.join('\n\n')}\n`
}
