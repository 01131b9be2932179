import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readPanels } from '../../../test/support/dashboard.ts'
import { linesOf, type Sample } from '../../../test/support/dashboard-series.ts'
import { startProgram } from '../../../test/support/program.ts'

test('the picture of the dashboard is drawn from a run of the demo', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-dashboard-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'picture.svg')
  const drawing = startProgram('test/write-dashboard-picture.ts', [file, '--seconds', '2'])
  onTestFinished(() => drawing.kill())
  expect(await drawing.ended).toMatchObject({ code: 0 })
  const svg = readFileSync(file, 'utf8')
  const titles = readPanels()
    .filter(({ type }) => type === 'timeseries')
    .map(({ title }) => title)
  expect(titles.filter((title) => svg.includes(`>${title}<`))).toEqual(titles.slice(0, 6))
  for (const line of ['confirmed', 'delivered', 'refused.rateLimited'])
    expect(svg).toContain(`>${line}\u2003`)
})

test('the lines of a chart are sums and rates, as Prometheus has them', () => {
  const sampleAt = (atMs: number, a: number, b: number): Sample => ({
    atMs,
    metrics: new Map([
      [
        'x_total',
        [
          { labels: { hub: 'h', outcome: 'a' }, value: a },
          { labels: { hub: 'g', outcome: 'a' }, value: a },
          { labels: { hub: 'h', outcome: 'b' }, value: b },
        ],
      ],
    ]),
  })
  const samples = [sampleAt(0, 0, 5), sampleAt(1000, 10, 5), sampleAt(2000, 40, 5)]
  const lines = (expr: string) => linesOf({ expr, legendFormat: 'is {{outcome}}' }, samples, 1000)
  expect(lines('sum by (outcome) (x_total{hub=~"$hub"})')).toEqual([
    {
      name: 'is a',
      points: [
        [0, 0],
        [1, 20],
        [2, 80],
      ],
    },
    {
      name: 'is b',
      points: [
        [0, 5],
        [1, 5],
        [2, 5],
      ],
    },
  ])
  expect(lines('sum by (outcome) (rate(x_total{hub=~"h",outcome=~"a|c"}[$__rate_interval]))')).toEqual([
    {
      name: 'is a',
      points: [
        [0, 0],
        [1, 10],
        [2, 30],
      ],
    },
  ])
  expect(lines('sum(x_total)')).toEqual([
    {
      name: 'is ',
      points: [
        [0, 5],
        [1, 25],
        [2, 85],
      ],
    },
  ])
  expect(() => lines('max(x_total)')).toThrow('not a form known here')
})
