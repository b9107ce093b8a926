// Typed access to the metadata of a GGUF file.

/** Metadata by key, read with its type checked. */
export interface Metadata {
  /** path for messages */
  readonly file: string
  get(key: string): unknown
  number(key: string): number
  optionalNumber(key: string): number | undefined
}
