// One live line on a terminal, plain lines elsewhere. Knows nothing of what progresses.
import cliProgress from 'cli-progress'

export interface ProgressLine {
  /** `done` of the total; `fields` fill the format's {names} */
  update(done: number, fields: Record<string, string>): void
  stop(): void
}

/** `93.4` -> `1m33s` */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const minutes = Math.floor(whole / 60)
  if (minutes === 0) return `${whole}s`
  const hours = Math.floor(minutes / 60)
  return hours === 0
    ? `${minutes}m${String(whole % 60).padStart(2, '0')}s`
    : `${hours}h${String(minutes % 60).padStart(2, '0')}m`
}

/**
 * @param format what follows the bar, with {names} of fields
 * @param every without a terminal, print a line every so many updates (and the last)
 */
export function createProgress(total: number, format: string, options: { every?: number } = {}): ProgressLine {
  if (process.stdout.isTTY) {
    const bar = new cliProgress.SingleBar(
      { format: `{bar} {value}/{total}  ${format}`, barsize: 24, hideCursor: true, stopOnComplete: false },
      cliProgress.Presets.shades_classic
    )
    bar.start(total, 0, Object.fromEntries([...format.matchAll(/\{(\w+)\}/g)].map(match => [match[1], '-'])))
    return {
      update: (done, fields) => bar.update(done, fields),
      stop: () => bar.stop()
    }
  }
  const every = options.every ?? Math.max(1, Math.round(total / 20))
  return {
    update(done, fields) {
      if (done !== 1 && done % every !== 0 && done !== total) return
      process.stdout.write(
        `${done}/${total}  ${format.replaceAll(/\{(\w+)\}/g, (_, name: string) => fields[name] ?? '-')}\n`
      )
    },
    stop() {}
  }
}
