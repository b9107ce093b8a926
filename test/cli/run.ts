// Runs command lines in the test's own process.
import { createProgram, runProgram } from '../../cli/program.ts'

export interface Ran {
  readonly status: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** Takes what is written as text meanwhile; the test runner's own bytes pass. */
function capture(stream: NodeJS.WriteStream): { text: () => string; end: () => void } {
  const { write } = stream
  let text = ''
  stream.write = ((chunk: string | Uint8Array, ...rest: never[]) => {
    if (typeof chunk !== 'string') return write.call(stream, chunk, ...rest)
    text += chunk
    return true
  }) as typeof write
  return {
    text: () => text,
    end: () => {
      stream.write = write
    }
  }
}

/** One at a time. */
export async function runHere(...argv: string[]): Promise<Ran> {
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)]
  try {
    const program = createProgram({
      writeOut: text => process.stdout.write(text),
      writeErr: text => process.stderr.write(text)
    })
    const status = await runProgram(argv, program)
    return { status, stdout: stdout.text(), stderr: stderr.text() }
  } finally {
    stdout.end()
    stderr.end()
  }
}
