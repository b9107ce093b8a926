// What `swarm --version` prints: this release and the versions of what a report of a fault needs.
import { release } from 'node:os'
import { messageOf } from '../common/errors.ts'
import { dependencyVersion } from '../common/files/package-folder.ts'
import { version } from '../common/version.ts'
import { dhtProtocol, protocols, shortProtocol } from '../proto/protocols.ts'
import { availableProviders, ortVersion } from '../runtime/library.ts'

/** `1.30.0 (cpu, webgpu)`, or why it does not load. */
function describeRuntime(): string {
  try {
    return `${ortVersion()} (${availableProviders().join(', ')})`
  } catch (error) {
    return messageOf(error)
  }
}

/** `linux x64, kernel 6.1.0, glibc 2.36`. */
function describePlatform(): string {
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean }
  report.excludeNetwork = true // or it asks DNS for names
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } }
  const { glibcVersionRuntime: glibc } = header
  return `${process.platform} ${process.arch}, kernel ${release()}${glibc === undefined ? '' : `, glibc ${glibc}`}`
}

/** A line for each, the release first; without a line end after the last. */
export function versionReport(): string {
  const ids = [...Object.values(protocols), dhtProtocol].map(shortProtocol)
  const rows: readonly [string, string][] = [
    ['swarmtune', version],
    ['node', process.versions.node],
    ['onnxruntime', describeRuntime()],
    ['libp2p', dependencyVersion('libp2p')],
    ['protocols', ids.join(', ')],
    ['platform', describePlatform()]
  ]
  return rows.map(([name, value]) => `${name.padEnd(13)}${value}`).join('\n')
}
