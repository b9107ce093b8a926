// What the client needs of a file system. `#files` is the implementation that package.json's "imports" picks.

/** What is on its way carries this at the end of its name, after a kill too. */
export const temporarySuffix = '.tmp'

export interface Files {
  /** Throws NOT_FOUND where there is no such file. */
  read(path: string, options?: { signal?: AbortSignal }): Promise<Uint8Array>
  /** The bytes of a file in order, in pieces. Throws as `read`. */
  stream(path: string, options?: { signal?: AbortSignal }): AsyncIterable<Uint8Array>
  /** Unpacks gzip as it comes, also several files of it one after the other. Throws an Error for what is none or ends too early. */
  gunzip(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>
  /**
   * As `read`, for a file that others have packed. Throws BAD_CHECKPOINT where the path leads to a folder, pipe or device, or to more
   * than `maxBytes`.
   */
  readForeign(path: string, options?: { signal?: AbortSignal; maxBytes?: number }): Promise<Uint8Array>
  /** Replaces the file as a whole: a reader sees the old bytes or the new. Makes the folders that lead to it. */
  write(path: string, bytes: Uint8Array, options?: { signal?: AbortSignal }): Promise<void>
  /** Whether a folder can be written, or made: leaves nothing behind. Throws INVALID_ARGUMENT, DISK_FULL. */
  probe(path: string): Promise<void>
  /** Names in a folder, in no order; null where the path is no folder. */
  list(path: string): Promise<string[] | null>
  /**
   * Replaces a folder as a whole: `fill` writes into a temporary one beside it, which takes its place once its bytes are on
   * the disk. Whatever fails on the way leaves the old one as it is. Throws DISK_FULL, INVALID_ARGUMENT, what `fill` throws.
   */
  writeFolder(path: string, fill: (temporary: string) => Promise<void>): Promise<void>
  /** Adds to the end of a file, which is made if it is not there. */
  append(path: string, bytes: Uint8Array): Promise<void>
  /** A file, or a folder with what is in it, gone from under its name at once; nothing where there is none. */
  remove(path: string): Promise<void>
  exists(path: string): Promise<boolean>
  /** Renames a file and replaces what has the new name. */
  move(from: string, to: string): Promise<void>
  /** The folder for what is kept between runs: `SWARM_HOME`, else `.swarmtune` in the user's home; null where there is none. */
  home(): string | null
  /** A new folder where the system keeps what is temporary, which may be on another disk. */
  spareFolder(): Promise<string>
  join(...parts: string[]): string
}
