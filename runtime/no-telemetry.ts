// Turns ONNX Runtime's telemetry off. From 1.30 on its Linux and macOS builds ask DNS for a host of Microsoft and write a device
// id and events (path of the program, system, processor) to ~/.cache/Microsoft, unless ORT_DISABLE_TELEMETRY is in the environment
// of the process when the library is loaded. So this module is imported before the library, by the only file that imports it.
import { isMainThread } from 'node:worker_threads'
import { SwarmError } from '../common/errors.ts'

const variable = 'ORT_DISABLE_TELEMETRY'

/** Variables of the process itself, which the library reads; `process.env` of a worker thread is a copy. */
function processEnvironment(): Readonly<Record<string, string | undefined>> {
  const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined
  if (report === undefined) return process.env
  const { excludeNetwork } = report
  report.excludeNetwork = true // or the report asks DNS for the names of our addresses
  try {
    const { environmentVariables } = report.getReport() as { environmentVariables?: Record<string, string> }
    return environmentVariables ?? process.env
  } finally {
    report.excludeNetwork = excludeNetwork
  }
}

/**
 * Sets the variable for this process and what it starts. A worker thread cannot: there the variable must be set already, by the
 * main thread or by who started the process. Throws UNSUPPORTED where it is not.
 */
function disableTelemetry(): void {
  if (isMainThread) {
    process.env[variable] = '1'
    return
  }
  // Windows builds have no such telemetry
  if (process.platform === 'win32' || processEnvironment()[variable] === '1') return
  throw new SwarmError(
    'UNSUPPORTED',
    `ONNX Runtime would send telemetry: expected ${variable}=1 in the environment of the process, which a worker thread cannot set: ` +
      `import swarmtune in the main thread first, or start the process with ${variable}=1`
  )
}

disableTelemetry()
