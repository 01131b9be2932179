import { createGateway } from '@rivulet/twilio'
import type { Registry } from 'prom-client'
import { createHub } from 'rivulet'
import { beforeAll, describe, expect, test } from 'vitest'
import { metricsOf } from '../../packages/gateway/src/metrics/metrics.ts'
import {
  filledIn,
  labelsOf,
  type Panel,
  readPanels,
  type Selector,
  selectorsOf,
  syntaxErrorsOf,
} from '../support/dashboard.ts'

interface Family {
  readonly name: string
  readonly values: readonly { readonly labels: Readonly<Record<string, string>> }[]
}

const panels = readPanels()
const queries = panels.flatMap(({ title, targets = [] }) => targets.map((query) => ({ title, ...query })))
const selectors = queries.flatMap(({ expr }) => selectorsOf(filledIn(expr)))
let families: ReadonlyMap<string, Family>

beforeAll(async () => {
  const hub = createHub()
  const gateway = createGateway({ hub, open: true })
  const registry: Registry = await metricsOf(gateway)
  const found = (await registry.getMetricsAsJSON()) as unknown as Family[]
  families = new Map(found.map((family) => [family.name, family]))
  await gateway.close()
  await hub.close()
})

describe('the dashboard', () => {
  test('asks in PromQL', () => {
    expect(queries.length).toBeGreaterThan(15)
    expect(queries.flatMap(({ expr }) => syntaxErrorsOf(filledIn(expr)))).toEqual([])
  })

  test('asks for metrics that there are, and for each of them', () => {
    const asked = new Set(selectors.map(({ metric }) => metric))
    expect([...asked].sort()).toEqual([...families.keys()].sort())
  })

  test('asks for labels that there are, and for values that they can have', () => {
    expect(selectors.flatMap((selector) => unmetIn(families, selector))).toEqual([])
    const unknown = queries.flatMap((query) => {
      const metrics = selectorsOf(filledIn(query.expr)).map(({ metric }) => metric)
      return labelsOf(query).filter((label) => metrics.some((name) => !labelsIn(families, name).has(label)))
    })
    expect(unknown).toEqual([])
  })

  test('has panels that do not overlap, each with an id of its own', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const pairs = panels.flatMap((one, index) =>
      panels.slice(index + 1).map((other) => [one, other] as const),
    )
    expect(pairs.filter(([one, other]) => overlap(one, other)).map(([{ title }]) => title)).toEqual([])
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([])
  })
})

describe('the reading of the dashboard', () => {
  test('sees what is no PromQL, and metrics inside of functions', () => {
    expect(syntaxErrorsOf('sum(rate(a_total[1m])')).not.toEqual([])
    expect(syntaxErrorsOf('sum by (hub) (a{hub=~"x"})')).toEqual([])
    expect(selectorsOf('sum by (hub) (rate(a_total{hub=~"x",b="c"}[1m])) - sum(d)')).toEqual([
      {
        metric: 'a_total',
        matchers: [
          { label: 'hub', operator: '=~', value: 'x' },
          { label: 'b', operator: '=', value: 'c' },
        ],
      },
      { metric: 'd', matchers: [] },
    ])
  })

  test('sees a label and a value that there is not', () => {
    const known = new Map([['a', { name: 'a', values: [{ labels: { outcome: 'local' } }] }]])
    const asking = (label: string, value: string): Selector => ({
      metric: 'a',
      matchers: [{ label, operator: '=~', value }],
    })
    expect(unmetIn(known, asking('outcome', 'loc.*'))).toEqual([])
    expect(unmetIn(known, asking('outcome', 'lost[.].*|local'))).toEqual(['outcome=~"lost[.].*"'])
    expect(unmetIn(known, asking('hub', '.*'))).toEqual(['hub=~".*"'])
  })
})

/** Gives the matchers that no time series of the metric meets, alternative by alternative. */
function unmetIn(known: ReadonlyMap<string, Family>, { metric, matchers }: Selector): string[] {
  const values = known.get(metric)?.values ?? []
  return matchers.flatMap(({ label, operator, value }) => {
    const parts = operator === '=~' ? value.split('|') : [value]
    const unmet = parts.filter((part) => {
      const form = operator === '=~' ? new RegExp(`^(?:${part})$`) : undefined
      return !values.some(({ labels: { [label]: found } }) =>
        found === undefined ? false : form === undefined ? found === part : form.test(found),
      )
    })
    return unmet.map((part) => `${label}${operator}"${part}"`)
  })
}

function labelsIn(known: ReadonlyMap<string, Family>, metric: string): Set<string> {
  return new Set(known.get(metric)?.values.flatMap(({ labels }) => Object.keys(labels)))
}

function overlap({ gridPos: one }: Panel, { gridPos: other }: Panel): boolean {
  const apart = [
    one.x + one.w <= other.x,
    other.x + other.w <= one.x,
    one.y + one.h <= other.y,
    other.y + other.h <= one.y,
  ]
  return !apart.includes(true)
}
