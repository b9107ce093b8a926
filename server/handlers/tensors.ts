// The tensors request: sends this server's model to peers without its files. Sends only what is on this machine.
import { pipe } from 'it-pipe'
import { settled } from '../../common/async.ts'
import { SwarmError } from '../../common/errors.ts'
import { inPieces } from '../../common/files/byte-stages.ts'
import { KiB } from '../../common/units.ts'
import { hashOfTensor, indexOf, readShared, readStored } from '../../model/checkpoint/share.ts'
import type { Handler } from '../../network/network.ts'
import type { BodyOf } from '../../proto/messages.ts'
import type { ServerContext } from '../context.ts'
import { observe, type RequestLog } from '../observe/request-log.ts'

/** Pieces are smaller than a frame's header may be, and small enough that decode steps pass between them. */
const pieceBytes = 512 * KiB
/** tensors whose hash one request may ask for */
const maxHashes = 4096

type Request = BodyOf<'tensorsRequest'>

async function hashes(
  { checkpoint }: Pick<ServerContext, 'checkpoint'>,
  names: readonly string[],
  signal: AbortSignal
) {
  if (names.length > maxHashes) {
    throw new SwarmError('INVALID_ARGUMENT', `${names.length} hashes in one request, at most ${maxHashes}`)
  }
  const found: Record<string, string> = {}
  for (const name of names) {
    signal.throwIfAborted()
    const hash = await hashOfTensor(checkpoint, name)
    if (hash !== null) found[name] = hash
  }
  return found
}

const jsonBytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

/** Files that are being sent. Concurrent requests for a file share its bytes: identities are free, copies of a tokenizer are not. */
class FilesInUse {
  readonly #files = new Map<string, { readonly bytes: Promise<Uint8Array | undefined>; users: number }>()

  /** The bytes, read if no other request holds them. Call `done` when they are no longer used. */
  take(
    file: string,
    read: () => Promise<Uint8Array | undefined>
  ): { readonly bytes: Promise<Uint8Array | undefined>; done(): void } {
    const entry = this.#files.get(file) ?? { bytes: read(), users: 0 }
    void settled(entry.bytes) // each request awaits them itself
    entry.users += 1
    this.#files.set(file, entry)
    const done = (): void => {
      entry.users -= 1
      if (entry.users === 0) this.#files.delete(file)
    }
    return { bytes: entry.bytes, done }
  }
}

async function* answer(
  context: Pick<ServerContext, 'checkpoint'>,
  request: Request,
  { files, signal }: { files: FilesInUse; signal: AbortSignal }
): AsyncIterable<Uint8Array> {
  const { checkpoint } = context
  if (request.tensor !== '') {
    const { tensor, firstByte, endByte } = request
    yield* readStored(checkpoint, tensor, { start: firstByte, end: endByte }, pieceBytes)
  } else if (request.hashes.length > 0) {
    yield jsonBytes(await hashes(context, request.hashes, signal))
  } else {
    const { file } = request
    const isIndex = file === 'index.json'
    const { bytes, done } = files.take(file, async () =>
      isIndex ? jsonBytes(indexOf(checkpoint)) : await readShared(checkpoint, file)
    )
    try {
      const found = await bytes
      if (found === undefined) throw new SwarmError('NOT_FOUND', `this server shares no file '${file}'`)
      yield found
    } finally {
      done()
    }
  }
}

export function tensorsHandler(context: RequestLog & Pick<ServerContext, 'checkpoint' | 'enter'>): Handler {
  const files = new FilesInUse()
  return async (stream, { peerId, signal }) => {
    const message = await stream.receive({ signal })
    if (message === null) return
    const { body, tensors } = message
    await observe(context, { kind: 'tensorsRequest', peerId, received: tensors }, async () => {
      if (body.kind !== 'tensorsRequest')
        throw new SwarmError('BAD_FRAME', `expected tensorsRequest, found ${body.kind}`)
      const { identity } = context.checkpoint
      if (body.model !== identity) {
        throw new SwarmError(
          'MODEL_MISMATCH',
          `this server has model ${identity.slice(0, 8)}, not ${body.model.slice(0, 8)}`
        )
      }
      const leave = context.enter('request')
      try {
        await pipe(answer(context, body, { files, signal }), inPieces(pieceBytes), async pieces => {
          for await (const data of pieces) {
            await stream.send({ body: { kind: 'tensorsResponse', data }, tensors: {} }, { signal })
          }
        })
      } finally {
        leave()
      }
    })
  }
}
