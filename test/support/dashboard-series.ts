import { type Matcher, type Query, selectorsOf } from './dashboard.ts'

/** What was collected at one time: the values of each metric, with their labels. */
export interface Sample {
  readonly atMs: number
  readonly metrics: ReadonlyMap<string, readonly Value[]>
}

/** One value of a metric. */
export interface Value {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One line of a chart. */
export interface Line {
  readonly name: string
  readonly points: readonly (readonly [seconds: number, value: number])[]
}

// The only forms that the dashboard's charts use, so that nothing of PromQL has to be rebuilt but these.
const FORM = /^sum(?: by \((\w+)\))? ?\((rate\()?(\w+)(?:\{[^}]*\})?(?:\[[^\]]*\]\))?\)$/

/**
 * Evaluates a query of a chart over samples, as Prometheus would: `sum by (label) (metric)`, or of its rate over the
 * last `windowMs`. Throws for another form.
 */
export function linesOf(query: Query, samples: readonly Sample[], windowMs: number): readonly Line[] {
  const [, by, rate, metric = ''] = FORM.exec(query.expr) ?? []
  const [selector] = selectorsOf(query.expr)
  if (selector === undefined || selector.metric !== metric)
    throw new Error(`not a form known here: ${query.expr}`)
  const sums = samples.map(({ metrics }) =>
    sumsBy(by, (metrics.get(metric) ?? []).filter(fits(selector.matchers))),
  )
  const groups = [...new Set(sums.flatMap((sum) => [...sum.keys()]))]
  const startMs = samples[0]?.atMs ?? 0
  return groups.map((group) => ({
    name: query.legendFormat.replaceAll(/\{\{\w+\}\}/g, group),
    points: samples.map(({ atMs }, index) => {
      const valueAt = (at: number) => sums[at]?.get(group) ?? 0
      const seconds = (atMs - startMs) / 1000
      if (rate === undefined) return [seconds, valueAt(index)] as const
      const from = samples.findIndex((sample) => sample.atMs >= atMs - windowMs)
      const passedMs = atMs - (samples[from]?.atMs ?? atMs)
      return [seconds, passedMs === 0 ? 0 : ((valueAt(index) - valueAt(from)) * 1000) / passedMs] as const
    }),
  }))
}

function sumsBy(label: string | undefined, values: readonly Value[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const { labels, value } of values) {
    const group = label === undefined ? '' : (labels[label] ?? '')
    sums.set(group, (sums.get(group) ?? 0) + value)
  }
  return sums
}

/** The variable `$hub` stands for every hub. */
function fits(matchers: readonly Matcher[]): (value: Value) => boolean {
  return ({ labels }) =>
    matchers.every(({ label, operator, value }) => {
      if (value === '$hub') return true
      if (operator === '=~') return new RegExp(`^(?:${value})$`).test(labels[label] ?? '')
      return labels[label] === value
    })
}
