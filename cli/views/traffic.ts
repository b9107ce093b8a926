// What a generation has sent and received, in a line. Pure.
import { formatBytes } from '../../common/units.ts'
import type { ByteCount } from '../../network/streams/message-stream.ts'

/** Counts at three moments: before the prompt was sent, at the first token, at the end. */
export interface TrafficOfGeneration {
  readonly before: Readonly<ByteCount>
  readonly first: Readonly<ByteCount>
  readonly end: Readonly<ByteCount>
  readonly tokens: number
}

/**
 * `prompt: 12.1 KiB sent, 310 B received; then 240 B sent and 198 B received a token`; without the second half where all tokens came at
 * once, as of beam search.
 */
export function describeTraffic({ before, first, end, tokens }: TrafficOfGeneration): string {
  const prompt = `${formatBytes(first.sent - before.sent)} sent, ${formatBytes(first.received - before.received)} received`
  if (end.sent === first.sent || tokens < 2) return `prompt: ${prompt}`
  const each = (bytes: number): string => formatBytes(Math.round(bytes / (tokens - 1)))
  const [sent, received] = [each(end.sent - first.sent), each(end.received - first.received)]
  return `prompt: ${prompt}; then ${sent} sent and ${received} received a token`
}
