import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parser } from '@prometheus-io/lezer-promql'
import { ROOT } from './source-files.ts'

/** The dashboard for Grafana that `@rivulet/otel` ships. */
export const DASHBOARD = 'packages/otel/dashboards/rivulet.json'

/** One panel, as far as it is read here. */
export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly Query[]
  readonly fieldConfig?: { readonly defaults: { readonly custom?: { readonly stacking?: { mode: string } } } }
}

/** What a panel asks for, and what its lines are called. */
export interface Query {
  readonly expr: string
  readonly legendFormat: string
}

/** A use of a metric in PromQL: `name{label="value"}`. */
export interface Selector {
  readonly metric: string
  readonly matchers: readonly Matcher[]
}

/** What a label has to be. */
export interface Matcher {
  readonly label: string
  readonly operator: string
  readonly value: string
}

/** Reads the panels. */
export function readPanels(): readonly Panel[] {
  return JSON.parse(readFileSync(join(ROOT, DASHBOARD), 'utf8')).panels
}

/** Puts in what Grafana would. */
export function filledIn(expr: string): string {
  return expr.replaceAll('$__rate_interval', '1m').replaceAll('$hub', '.*')
}

/** Gives every part of a query that the grammar of PromQL has no place for. */
export function syntaxErrorsOf(expr: string): string[] {
  const errors: string[] = []
  parser.parse(expr).iterate({
    enter({ type, from }) {
      if (type.isError) errors.push(expr.slice(from))
    },
  })
  return errors
}

/** Finds the metrics in a query, with what is asked of their labels. */
export function selectorsOf(expr: string): Selector[] {
  const found: Selector[] = []
  parser.parse(expr).iterate({
    enter({ name, from, to, node }) {
      if (name !== 'VectorSelector') return
      const metric = node.getChild('Identifier')
      const text = expr.slice(from, to)
      const matchers = [...text.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(
        ([, label = '', operator = '', value = '']) => ({ label, operator, value }),
      )
      found.push({ metric: metric === null ? '' : expr.slice(metric.from, metric.to), matchers })
    },
  })
  return found
}

/** The labels by which a query groups, and those that the names of its lines use. */
export function labelsOf({ expr, legendFormat }: Query): string[] {
  const groups = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '))
  const inNames = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
  return [...groups, ...inNames]
}
