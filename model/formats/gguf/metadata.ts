// What a GGUF file says of itself, as its readers ask for it.

/** Metadata by key, read with its type checked. */
export interface Metadata {
  /** path for messages */
  readonly file: string
  get(key: string): unknown
  number(key: string): number
  optionalNumber(key: string): number | undefined
}
