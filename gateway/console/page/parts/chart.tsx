// Curves by uPlot, in the colours of the page, as wide as their place.
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { numberText, timeText } from '../format.ts'
import { useStore } from '../store.ts'
import { colour, palette } from '../theme.ts'

export interface Curve {
  readonly label: string
  readonly values: readonly (number | null)[]
  /** 1 to 5; curves of one chart differ in it */
  readonly hue: number
  /** default: a line with gaps; `joined` leaves none, points are not joined at all */
  readonly look?: 'line' | 'dashed' | 'joined' | 'points'
}

interface ChartProps {
  readonly title: string
  /** Unix seconds, or steps */
  readonly x: readonly number[]
  readonly curves: readonly Curve[]
  readonly isTime: boolean
  /** the values are counts: the axis begins at zero and has whole numbers */
  readonly isCount?: boolean
  readonly height?: number
  readonly format?: (value: number) => string
}

const hueOf = ({ hue }: Curve): string => colour(`--curve-${((hue - 1) % 5) + 1}`)

function seriesOf(curve: Curve, format: (value: number) => string): uPlot.Series {
  const stroke = hueOf(curve)
  const look = curve.look ?? 'line'
  return {
    label: curve.label,
    stroke,
    width: look === 'points' ? 0 : 1.5,
    ...(look === 'dashed' && { dash: [6, 4] }),
    points: { show: look === 'points', size: 7, fill: stroke, stroke },
    spanGaps: look !== 'line',
    value: (_, value) => (value === null || value === undefined ? '–' : format(value))
  }
}

/** From zero where that is near; a curve that stays the same is in the middle. */
function rangeOf(least: number | null, most: number | null, isCount: boolean): [number, number] {
  if (least === null || most === null || (least === 0 && most === 0)) return [0, 1]
  const bottom = isCount || (least >= 0 && least < most * 0.6) ? 0 : least
  const span = most - bottom || Math.abs(most) || 1
  return [bottom === 0 ? 0 : bottom - span * 0.08, most + span * 0.08]
}

/** distances of marks on an axis of whole numbers */
const wholeSteps = [1, 2, 5]
  .flatMap(digit => [1, 10, 100, 1000, 10_000, 100_000].map(size => digit * size))
  .toSorted((a, b) => a - b)

/** 24 hours, whatever the browser's language is: the tables say so too. */
const timeAxis: uPlot.Axis['values'] = (_, seconds) => {
  const isFine = (seconds.at(-1) ?? 0) - (seconds[0] ?? 0) < 300
  return seconds.map(each => timeText(each * 1000).slice(0, isFine ? 8 : 5))
}

/** What a screen reader is told: the last value of each curve. */
const described = (title: string, curves: readonly Curve[], format: (value: number) => string): string => {
  const last = curves.map(({ label, values }) => {
    const value = values.findLast(each => each !== null)
    return value === undefined || value === null ? `${label}: no value` : `${label}: ${format(value)}`
  })
  return `${title}. Last values: ${last.join(', ')}`
}

export function Chart({
  title,
  x,
  curves,
  isTime,
  isCount = false,
  height = 180,
  format = numberText
}: ChartProps): JSX.Element {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const shade = useStore(palette)
  const shape = JSON.stringify([title, isTime, isCount, height, shade, curves.map(({ values: _, ...rest }) => rest)])
  const data = [x, ...curves.map(({ values }) => values)] as unknown as uPlot.AlignedData
  useEffect(() => {
    const element = place.current!
    const axis: uPlot.Axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--line'), width: 1 },
      ticks: { stroke: colour('--line'), width: 1, size: 4 },
      font: '11px system-ui, sans-serif'
    }
    const made = new uPlot(
      {
        width: Math.max(200, element.clientWidth),
        height,
        scales: { x: { time: isTime }, y: { range: (_, least, most) => rangeOf(least, most, isCount) } },
        series: [
          {
            label: isTime ? 'time' : 'step',
            value: (_, value) => (value === null ? '–' : isTime ? timeText(value * 1000) : String(value))
          },
          ...curves.map(curve => seriesOf(curve, format))
        ],
        axes: [
          { ...axis, ...(isTime ? { values: timeAxis, space: 70 } : { incrs: wholeSteps }) },
          {
            ...axis,
            ...(isCount && { incrs: wholeSteps }),
            size: 58,
            values: (_, values) => values.map(value => (value === null ? '' : format(value)))
          }
        ],
        legend: { live: true },
        cursor: { drag: { x: true, y: false } }
      },
      data,
      element
    )
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: Math.max(200, element.clientWidth), height }))
    watch.observe(element)
    return () => {
      watch.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [shape])
  useEffect(() => {
    plot.current?.setData(data)
  }, [x, curves])
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      <div ref={place} role="img" aria-label={described(title, curves, format)} />
    </figure>
  )
}
