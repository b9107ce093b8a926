// Resources that end with the work done over them. The `using` declaration does this in one word, but Node 22 cannot parse it.

/** Runs `use` with the resource and disposes of it afterwards, whether that succeeds or throws. */
export async function withResource<T extends Disposable | AsyncDisposable, R>(
  resource: T,
  use: (resource: T) => Promise<R>
): Promise<R> {
  try {
    return await use(resource)
  } finally {
    if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]()
    else resource[Symbol.dispose]()
  }
}
