// A queue that is fair among peers. Pure data; knows neither time nor device.

/** Jobs of one priority, taken round robin from the peers. */
export class FairQueue<Job extends { readonly peerId: string }> {
  /** the peer whose turn it is first */
  readonly #byPeer = new Map<string, Job[]>()
  /** a started job, which continues before others start */
  #begun: Job | undefined
  #length = 0

  get length(): number {
    return this.#length
  }

  /** whose turn it is */
  get nextPeer(): string | undefined {
    return this.#begun?.peerId ?? this.#byPeer.keys().next().value
  }

  push(job: Job): void {
    const jobs = this.#byPeer.get(job.peerId)
    if (jobs === undefined) this.#byPeer.set(job.peerId, [job])
    else jobs.push(job)
    this.#length += 1
  }

  /**
   * Puts back a started job at the front: it releases its memory sooner, and no other job of its kind holds as much at
   * the same time.
   */
  resume(job: Job): void {
    this.#begun = job
    this.#length += 1
  }

  /** The started job, or else the oldest job of the next peer, which then moves to the end of the rotation. */
  shift(): Job | undefined {
    if (this.#begun !== undefined) {
      const begun = this.#begun
      this.remove(begun)
      return begun
    }
    const next = this.#byPeer.entries().next()
    if (next.done) return undefined
    const [peerId, jobs] = next.value
    this.#byPeer.delete(peerId)
    const job = jobs.shift()!
    if (jobs.length > 0) this.#byPeer.set(peerId, jobs)
    this.#length -= 1
    return job
  }

  /** The jobs that `fits` accepts, tried in the order of `shift`. */
  take(fits: (job: Job) => boolean): Job[] {
    const passed: Job[] = []
    const taken: Job[] = []
    for (let job = this.shift(); job !== undefined; job = this.shift()) (fits(job) ? taken : passed).push(job)
    for (const job of passed) this.push(job)
    return taken
  }

  remove(job: Job): boolean {
    if (job === this.#begun) {
      this.#begun = undefined
      this.#length -= 1
      return true
    }
    const jobs = this.#byPeer.get(job.peerId)
    const index = jobs?.indexOf(job) ?? -1
    if (jobs === undefined || index === -1) return false
    jobs.splice(index, 1)
    if (jobs.length === 0) this.#byPeer.delete(job.peerId)
    this.#length -= 1
    return true
  }
}
