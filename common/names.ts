// Names as people write them: snake case in files, camel case in code, and the known one that is nearest to a misspelt one. Pure.

/** `learningRate` -> `learning_rate` */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

/** `learning_rate` -> `learningRate` */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** Letters to insert, delete or replace between two texts (Levenshtein 1966). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** Letters between two names, whichever case or hyphens they are written with. */
function distanceOf(name: string, other: string): number {
  const [one, two] = [name, other].map(text => snakeCase(text.replaceAll('-', '_')).toLowerCase())
  return editDistance(one!, two!)
}

/** The known name that is nearest, whether either is in snake case or camel case. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const distances = known.map(other => ({ other, distance: distanceOf(name, other) }))
  return distances.toSorted((a, b) => a.distance - b.distance)[0]?.other
}

/** ` (did you mean seed?)`; nothing where no known name is near: more than half of the letters would change. */
export function suggestion(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known)
  const isNear = nearest !== undefined && distanceOf(name, nearest) <= Math.max(2, name.length / 2)
  return isNear ? ` (did you mean ${nearest}?)` : ''
}
