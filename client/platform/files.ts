// What the client needs of a file system. `#files` is the implementation that package.json's "imports" picks.

export interface Files {
  /** Throws NOT_FOUND where there is no such file. */
  read(path: string, options?: { signal?: AbortSignal }): Promise<Uint8Array>
  /** Replaces the file as a whole: a reader sees the old bytes or the new. Makes the folders that lead to it. */
  write(path: string, bytes: Uint8Array, options?: { signal?: AbortSignal }): Promise<void>
  /** Names in a folder, in no order; null where the path is no folder. */
  list(path: string): Promise<string[] | null>
  exists(path: string): Promise<boolean>
  join(...parts: string[]): string
}
