// The state that a server is in, as the swarm is told. Decides nothing.
import type { AnnouncementFields, ServerState } from '../../network/discovery/announcement.ts'
import type { Announcer } from '../../network/discovery/announcer.ts'

export class AnnouncedState {
  readonly #announcer: Announcer
  #state: ServerState = 'joining'
  /** it leaves its blocks, or is about to, but comes back with others */
  isMoving = false
  /** it leaves for good */
  isLeaving = false

  constructor(components: { readonly announcer: Announcer }) {
    this.#announcer = components.announcer
  }

  get state(): ServerState {
    return this.#state
  }

  /** it serves, and has nothing else to do with its blocks */
  get isSettled(): boolean {
    return this.#state === 'online' || this.isMoving
  }

  /** Tells the swarm for the first time; from then on what `describe` says is told whenever it changes. */
  async announce(describe: () => AnnouncementFields): Promise<void> {
    await this.#announcer.start({ describe })
  }

  /** Tells the swarm what is new beside the state. */
  async refresh(): Promise<void> {
    await this.#announcer.update()
  }

  /** Changes the state at once, and returns when the swarm has been told. */
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
