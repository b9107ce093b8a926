// The library of ONNX Runtime, loaded when it is first used: commands that compute nothing need none, and a machine without it
// gets one line that says how to install it.
import './no-telemetry.ts' // before the library
import { createRequire } from 'node:module'
import type * as Ort from 'onnxruntime-node'
import { messageOf, SwarmError } from '../common/errors.ts'
import { installCommand } from '../common/files/package-folder.ts'

export type { Ort }

/**
 * The error for a machine where the library does not load.
 * @param error what `require` threw
 * @param platform such as `linux x64`
 */
export function unloadable(error: unknown, platform = `${process.platform} ${process.arch}`): SwarmError {
  const { code } = error as NodeJS.ErrnoException
  const message = messageOf(error)
  const isMissing = code === 'MODULE_NOT_FOUND' && /Cannot find module 'onnxruntime-/.test(message)
  const text = isMissing
    ? `ONNX Runtime is not installed (npm leaves it out when its download of GPU libraries fails). Run: ${installCommand('onnxruntime-node')}`
    : `ONNX Runtime does not load on ${platform}: ${message.split('\n')[0]} (docs/platforms.md lists where it runs)`
  return new SwarmError('UNSUPPORTED', text, { cause: error })
}

/** Releases of Node whose native interface takes memory that threads share: before them every run ends with "Invalid argument". */
export const neededNode = '^22.21.0 || >=24.9.0'

/** @param node such as `24.9.0` */
export function takesSharedMemory(node: string): boolean {
  const [major = 0, minor = 0] = node.split('.').map(Number)
  return (major === 22 && minor >= 21) || (major === 24 && minor >= 9) || major > 24
}

/** A native library is loaded once in a process. */
let loaded: typeof Ort | undefined

/** The library. Throws UNSUPPORTED where it is not installed, has no build for this machine, or Node is too old for it. */
export function ort(): typeof Ort {
  if (loaded === undefined && !takesSharedMemory(process.versions.node)) {
    const message = `Node ${process.versions.node} cannot compute: expected ${neededNode}, for memory that threads share`
    throw new SwarmError('UNSUPPORTED', message)
  }
  try {
    loaded ??= createRequire(import.meta.url)('onnxruntime-node') as typeof Ort
  } catch (error) {
    throw unloadable(error)
  }
  return loaded
}

/** Version of the ONNX Runtime that computes. Throws as `ort` does. */
export const ortVersion = (): string => ort().env.versions.node ?? 'unknown'

/** Backends of this ONNX Runtime build, `cpu` always among them. Throws as `ort` does. */
export const availableProviders = (): string[] =>
  ort()
    .listSupportedBackends()
    .map(backend => backend.name)
