// The announced state of a server. Decides nothing.
import type { AnnouncementFields, ServerState } from '../../network/discovery/announcement.ts'
import type { Announcer } from '../../network/discovery/announcer.ts'

export class AnnouncedState {
  readonly #announcer: Announcer
  #state: ServerState = 'joining'
  /** it leaves its blocks, or is about to, and returns with others */
  isMoving = false
  /** it leaves for good */
  isLeaving = false

  constructor(components: { readonly announcer: Announcer }) {
    this.#announcer = components.announcer
  }

  get state(): ServerState {
    return this.#state
  }

  /** it serves and is not about to leave */
  get isSettled(): boolean {
    return this.#state === 'online' || this.isMoving
  }

  /** Announces for the first time; from then on announces the result of `describe` whenever it changes. */
  async announce(describe: () => AnnouncementFields): Promise<void> {
    await this.#announcer.start({ describe })
  }

  /** Announces changes other than the state. */
  async refresh(): Promise<void> {
    await this.#announcer.update()
  }

  /** Changes the state at once, and resolves when it is announced. */
  async become(state: ServerState): Promise<void> {
    this.#state = state
    await this.#announcer.update()
  }

  /** Takes the announcement back. Never throws. */
  async leave(): Promise<void> {
    this.#state = 'offline'
    await this.#announcer.stop()
  }
}
