// Log lines of the command: for a person on a terminal, JSON for programs. Knows no component that logs.
import { stripVTControlCharacters } from 'node:util'
import { type DestinationStream, pino, stdSerializers, stdTimeFunctions } from 'pino'
import type { Logger } from '../../common/logger.ts'
import type { LogFormat, Screen, Style } from './screen.ts'
import { oneLine } from './text.ts'

/** How much is logged. */
export const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

const levelStyles: Record<string, Style> = { debug: 'dim', info: 'green', warn: 'yellow', error: 'red' }

/** `14:05:12`, local time */
export const clockTime = (date: Date): string =>
  [date.getHours(), date.getMinutes(), date.getSeconds()].map(part => String(part).padStart(2, '0')).join(':')

/** `value` as a word; quoted where it is not one. */
function fieldText(value: unknown): string {
  if (value !== null && typeof value === 'object' && 'message' in value) return fieldText(value.message)
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
  return /^[^\s"=]+$/u.test(text) || typeof value !== 'string' ? text : JSON.stringify(text)
}

/**
 * One line of pino's JSON for a person: `14:05:12 warn  a server failed  peer=12D3… failures=2`. A stack follows on lines of
 * its own. Control characters, which peers may have sent, are replaced.
 */
export function prettyLine(json: string, style: (style: Style, text: string) => string): string {
  const { level, time, msg = '', ...fields } = JSON.parse(json) as Record<string, unknown> & { level: string }
  const known = Object.entries(fields).map(([name, value]) => oneLine(`${name}=${fieldText(value)}`))
  const line = [
    style('dim', clockTime(new Date(String(time)))),
    style(levelStyles[level] ?? 'reset', level.padEnd(5)),
    oneLine(stripVTControlCharacters(String(msg))),
    ...(known.length > 0 ? [` ${style('dim', known.join(' '))}`] : [])
  ].join(' ')
  if (level !== 'debug') return line
  const stacks = Object.values(fields).flatMap(value => {
    const stack = value !== null && typeof value === 'object' && 'stack' in value ? String(value.stack) : ''
    return stack.split('\n').slice(1).map(oneLine)
  })
  return [line, ...stacks].join('\n')
}

/**
 * A logger whose lines the screen prints, never within an answer.
 * @param init.format default: pretty on a terminal, else JSON
 */
export function createScreenLogger(screen: Screen, init: { level: LogLevel; format?: LogFormat }): Logger {
  const { level } = init
  const format = init.format ?? (screen.logIsTerminal ? 'pretty' : 'json')
  const destination: DestinationStream = {
    write(json) {
      const line = json.trimEnd()
      screen.log(format === 'json' ? line : prettyLine(line, (style, text) => screen.style(style, text, 'stderr')))
    }
  }
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: format === 'json' ? pino.levels.values[label] : label }) },
      serializers: { error: stdSerializers.err, err: stdSerializers.err }
    },
    destination
  )
}
