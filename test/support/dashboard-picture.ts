import * as echarts from 'echarts'
import type { Panel } from './dashboard.ts'
import { type Line, linesOf, type Sample } from './dashboard-series.ts'

// A panel's unit of Grafana: 24 of them are the width.
const UNIT = { width: 50, height: 30 }
const GAP = 10
const WINDOW_MS = 2000
const INK = '#343a40'
const FRAME = '#dee2e6'
const COLOURS = ['#0b8fa8', '#e8590c', '#5c7cfa', '#2f9e44', '#be4bdb', '#f08c00', '#c92a2a', '#868e96']

/**
 * Draws the charts of a dashboard as one SVG, each where the dashboard has it. Lines that are zero throughout are left
 * out, and charts of metrics that nothing has.
 */
export function drawDashboard(panels: readonly Panel[], samples: readonly Sample[]): string {
  const charts = panels.filter(({ type }) => type === 'timeseries')
  const drawn = charts
    .map((panel) => ({ panel, lines: linesIn(panel, samples) }))
    .filter(({ panel }) => isCollected(panel, samples))
  const top = Math.min(...drawn.map(({ panel }) => panel.gridPos.y))
  const bottom = Math.max(...drawn.map(({ panel }) => panel.gridPos.y + panel.gridPos.h))
  const [width, height] = [24 * UNIT.width, (bottom - top) * UNIT.height]
  const parts = drawn.map(({ panel, lines }) => {
    const { x, y, w, h } = panel.gridPos
    const svg = drawChart(panel, lines, w * UNIT.width - GAP, h * UNIT.height - GAP)
    const place = `x="${x * UNIT.width + GAP / 2}" y="${(y - top) * UNIT.height + GAP / 2}"`
    return svg.replace(/^<svg /, `<svg ${place} `)
  })
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`
  return `${head}\n<rect width="100%" height="100%" fill="#f1f3f5"/>\n${parts.join('\n')}\n</svg>\n`
}

function linesIn({ targets = [] }: Panel, samples: readonly Sample[]): readonly Line[] {
  const lines = targets.flatMap((query) => linesOf(query, samples, WINDOW_MS))
  return lines.filter(({ points }) => points.some(([, value]) => value !== 0))
}

function isCollected({ targets = [] }: Panel, samples: readonly Sample[]): boolean {
  const names = new Set(samples.flatMap(({ metrics }) => [...metrics.keys()]))
  return targets.some(({ expr }) => [...names].some((name) => expr.includes(name)))
}

function drawChart(panel: Panel, lines: readonly Line[], width: number, height: number): string {
  const isStacked = panel.fieldConfig?.defaults.custom?.stacking?.mode === 'normal'
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height })
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    color: COLOURS,
    title: { text: panel.title, left: 12, top: 8, textStyle: { fontSize: 13, color: INK } },
    legend: {
      bottom: 6,
      left: 10,
      right: 10,
      itemWidth: 14,
      itemHeight: 3,
      icon: 'rect',
      // The library takes names to be shorter than they are.
      formatter: (name: string) => `${name}\u2003\u2003`,
      textStyle: { fontSize: 11, color: INK },
    },
    grid: { top: 40, left: 50, right: 20, bottom: 62 },
    xAxis: axis({
      type: 'value',
      max: Math.ceil(Math.max(1, ...lines.flatMap(({ points }) => points.map(([seconds]) => seconds)))),
      axisLabel: { formatter: '{value} s', color: INK },
      splitLine: { show: false },
    }),
    yAxis: axis({ type: 'value', min: 0, axisLabel: { color: INK } }),
    series: lines.map(({ name, points }) => ({
      name,
      data: points,
      type: 'line',
      showSymbol: false,
      silent: true,
      lineStyle: { width: 1.5 },
      ...(isStacked && { stack: 'all', areaStyle: { opacity: 0.2 } }),
    })),
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

function axis(own: object): object {
  return { axisLine: { lineStyle: { color: INK } }, splitLine: { lineStyle: { color: FRAME } }, ...own }
}
