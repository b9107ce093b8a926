// Curves as an SVG image. Pure: points in, text out; knows no run.

export interface Curve {
  readonly label: string
  /** of CSS */
  readonly color: string
  /** [x, y], ascending in x */
  readonly points: readonly (readonly [number, number])[]
}

const width = 720
const height = 400
const margin = { left: 64, right: 20, top: 36, bottom: 44 }
const fontSize = 12

/** About five round numbers that span the range: steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 5 || Math.max(1, Math.abs(high)) / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10)
  const first = Math.ceil(low / step)
  const count = Math.floor(high / step) - first + 1
  return Array.from({ length: count }, (_, index) => Number(((first + index) * step).toPrecision(12)))
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

const pixel = (value: number): string => value.toFixed(1)

/** Numbers that are nearer to each other than this share of them are the same in a picture; and what is as good as nothing. */
const [sameShare, nothing] = [1e-9, 1e-290]

/** The range of numbers; where they are all the same, a little around them. */
function rangeOf(values: readonly number[]): { low: number; high: number } {
  const low = values.reduce((least, value) => Math.min(least, value), Infinity)
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity)
  if (low > high) return { low: 0, high: 1 }
  const isFlat = high - low <= Math.max(nothing, sameShare * Math.max(Math.abs(low), Math.abs(high)))
  const pad = isFlat ? Math.max(1, Math.abs(low)) * 0.1 : 0
  return { low: low - pad, high: high + pad }
}

/** Curves over a common x axis with a legend; points that are not finite are left out. */
export function plot(curves: readonly Curve[], labels: { title: string; x: string; y: string }): string {
  const drawn = curves.map(curve => ({ ...curve, points: curve.points.filter(point => point.every(Number.isFinite)) }))
  const all = drawn.flatMap(({ points }) => points)
  const [xs, ys] = [rangeOf(all.map(([x]) => x)), rangeOf(all.map(([, y]) => y))]
  const inner = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom }
  const atX = (x: number): number => margin.left + ((x - xs.low) / (xs.high - xs.low)) * inner.width
  const atY = (y: number): number => margin.top + ((ys.high - y) / (ys.high - ys.low)) * inner.height
  const bottom = margin.top + inner.height
  const right = margin.left + inner.width

  const grid = [
    ...ticks(xs.low, xs.high).flatMap(x => [
      `<line x1="${pixel(atX(x))}" y1="${margin.top}" x2="${pixel(atX(x))}" y2="${bottom}" stroke="#eee"/>`,
      `<text x="${pixel(atX(x))}" y="${bottom + 16}" text-anchor="middle">${x}</text>`
    ]),
    ...ticks(ys.low, ys.high).flatMap(y => [
      `<line x1="${margin.left}" y1="${pixel(atY(y))}" x2="${right}" y2="${pixel(atY(y))}" stroke="#eee"/>`,
      `<text x="${margin.left - 6}" y="${pixel(atY(y) + 4)}" text-anchor="end">${y}</text>`
    ])
  ]
  const lines = drawn.flatMap(({ color, points }) => {
    const path = points.map(([x, y]) => `${pixel(atX(x))},${pixel(atY(y))}`)
    const dots =
      points.length > 60 ? [] : path.map(at => `<circle cx="${at.replace(',', '" cy="')}" r="2.5" fill="${color}"/>`)
    return [`<polyline points="${path.join(' ')}" fill="none" stroke="${color}" stroke-width="1.5"/>`, ...dots]
  })
  const legend = drawn.flatMap(({ label, color }, index) => [
    `<rect x="${right - 130}" y="${margin.top + 8 + 18 * index}" width="14" height="3" fill="${color}"/>`,
    `<text x="${right - 110}" y="${margin.top + 13 + 18 * index}">${escaped(label)}</text>`
  ])
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="${fontSize}">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${width / 2}" y="22" text-anchor="middle" font-size="15">${escaped(labels.title)}</text>`,
    ...grid,
    `<rect x="${margin.left}" y="${margin.top}" width="${inner.width}" height="${inner.height}" fill="none" stroke="#888"/>`,
    `<text x="${margin.left + inner.width / 2}" y="${height - 8}" text-anchor="middle">${escaped(labels.x)}</text>`,
    `<text transform="translate(14 ${margin.top + inner.height / 2}) rotate(-90)" text-anchor="middle">${escaped(labels.y)}</text>`,
    ...lines,
    ...legend,
    '</svg>',
    ''
  ].join('\n')
}
