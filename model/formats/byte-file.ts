// A file that is read at positions. Formats read their headers through it and do not know where the bytes come from.
import { type FileHandle, open } from 'node:fs/promises'
import { SwarmError } from '../../common/errors.ts'
import { foreignFileBytes } from '../../common/files/foreign-file.ts'

export interface ByteFile extends AsyncDisposable {
  /** absolute local path of its bytes, for messages and tensors */
  readonly path: string
  /** bytes */
  readonly size: number
  /** Fills `into` from `position` on. Throws BAD_CHECKPOINT where the file ends early. */
  read(into: Uint8Array, position: number): Promise<void>
}

/**
 * Opens a file of a checkpoint. Throws BAD_CHECKPOINT with its name if it does not exist, is not a file or cannot be
 * read.
 */
export async function openCheckpointFile(path: string): Promise<FileHandle> {
  try {
    await foreignFileBytes(path)
    return await open(path, 'r')
  } catch (cause) {
    if (cause instanceof SwarmError) throw cause
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new SwarmError('BAD_CHECKPOINT', `${path}: ${missing ? 'missing file' : 'cannot be read'}`, { cause })
  }
}

/** Fills `into` from `position` on. Throws BAD_CHECKPOINT where the file ends early. */
export async function readExactly(handle: FileHandle, into: Uint8Array, position: number, path: string): Promise<void> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await handle.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) {
      throw new SwarmError(
        'BAD_CHECKPOINT',
        `${path}: truncated: expected ${position + into.length} bytes, found ${position + done}`
      )
    }
    done += bytesRead
  }
}

/** A local file. Throws BAD_CHECKPOINT if it does not exist or cannot be read. */
export async function openLocalFile(path: string): Promise<ByteFile> {
  const handle = await openCheckpointFile(path)
  try {
    const { size } = await handle.stat()
    return {
      path,
      size,
      read: (into, position) => readExactly(handle, into, position, path),
      [Symbol.asyncDispose]: () => handle.close()
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}
