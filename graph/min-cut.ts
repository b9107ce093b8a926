// Minimum cut through the vertices of a directed network. Knows nothing of graphs of operators.

interface Edge {
  readonly to: number
  capacity: number
  /** the same edge the other way */
  readonly reverse: number
}

const source = 0
const sink = 1

/**
 * Vertices are names. Every vertex has a capacity; edges between vertices have no limit. Maximum flow by Dinic's algorithm
 * (Dinitz 1970; Cormen et al., Introduction to Algorithms, chapter 26), each vertex split in two with its capacity between.
 */
export class FlowNetwork {
  readonly #edges: Edge[] = []
  readonly #outgoing: number[][] = [[], []]
  readonly #vertices = new Map<string, { enter: number; leave: number }>()

  /** Sets what it costs to cut through a vertex. */
  limit(name: string, capacity: number): void {
    const { enter, leave } = this.#vertex(name)
    this.#add(enter, leave, capacity)
  }

  connect(from: string, to: string): void {
    this.#add(this.#vertex(from).leave, this.#vertex(to).enter, Infinity)
  }

  source(name: string): void {
    this.#add(source, this.#vertex(name).enter, Infinity)
  }

  sink(name: string): void {
    this.#add(this.#vertex(name).leave, sink, Infinity)
  }

  /** Vertices of least total capacity that separate source from sink; of several such cuts the one nearest to the sink. */
  minimumCut(): Set<string> {
    for (let levels = this.#levels(); levels[sink] !== -1; levels = this.#levels()) {
      const next = this.#outgoing.map(() => 0)
      while (this.#augment(levels, next) > 0);
    }
    const reaching = this.#reachingSink()
    return new Set(
      [...this.#vertices]
        .filter(([, { enter, leave }]) => !reaching.has(enter) && reaching.has(leave))
        .map(([name]) => name)
    )
  }

  #vertex(name: string): { enter: number; leave: number } {
    const known = this.#vertices.get(name)
    if (known !== undefined) return known
    const enter = this.#outgoing.push([], []) - 2
    const vertex = { enter, leave: enter + 1 }
    this.#vertices.set(name, vertex)
    return vertex
  }

  #add(from: number, to: number, capacity: number): void {
    const index = this.#edges.length
    this.#edges.push({ to, capacity, reverse: index + 1 }, { to: from, capacity: 0, reverse: index })
    this.#outgoing[from]!.push(index)
    this.#outgoing[to]!.push(index + 1)
  }

  /** Distance from the source along edges that still take flow; -1 where none leads. */
  #levels(): number[] {
    const levels = this.#outgoing.map(() => -1)
    levels[source] = 0
    const queue = [source]
    for (const vertex of queue) {
      for (const index of this.#outgoing[vertex]!) {
        const { to, capacity } = this.#edges[index]!
        if (capacity > 0 && levels[to] === -1) {
          levels[to] = levels[vertex]! + 1
          queue.push(to)
        }
      }
    }
    return levels
  }

  /** Sends flow along one shortest path; how much, 0 where the level graph is full. Without recursion: paths are long. */
  #augment(levels: readonly number[], next: number[]): number {
    const path: number[] = []
    let vertex = source
    while (vertex !== sink) {
      const index = this.#outgoing[vertex]![next[vertex]!]
      if (index === undefined) {
        const back = path.pop()
        if (back === undefined) return 0
        vertex = this.#edges[this.#edges[back]!.reverse]!.to
        next[vertex]!++
        continue
      }
      const { to, capacity } = this.#edges[index]!
      if (capacity > 0 && levels[to] === levels[vertex]! + 1) {
        path.push(index)
        vertex = to
      } else {
        next[vertex]!++
      }
    }
    const flow = Math.min(...path.map(index => this.#edges[index]!.capacity))
    for (const index of path) {
      const edge = this.#edges[index]!
      edge.capacity -= flow
      this.#edges[edge.reverse]!.capacity += flow
    }
    return flow
  }

  /** Vertices from which flow could still get to the sink. */
  #reachingSink(): Set<number> {
    const reaching = new Set([sink])
    for (const vertex of reaching) {
      for (const index of this.#outgoing[vertex]!) {
        const { to, reverse } = this.#edges[index]!
        if (this.#edges[reverse]!.capacity > 0) reaching.add(to)
      }
    }
    return reaching
  }
}
