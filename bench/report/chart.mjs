import * as echarts from 'echarts'
import { rounded } from './table.mjs'

// Apache ECharts: one well-kept package that draws to an SVG string without a browser or a canvas.

const WIDTH = 900
const LINES_HEIGHT = 520
const ROW_HEIGHT = 26
const COLOURS = { rivulet: '#0b7285', contract: '#e8590c', bare: '#868e96', floor: '#adb5bd' }
const SHADES = [
  '#5c7cfa',
  '#f08c00',
  '#ae3ec9',
  '#2b8a3e',
  '#e64980',
  '#74b816',
  '#868e96',
  '#15aabf',
  '#7048e8',
  '#c92a2a',
]

/** Draws a suite: one chart of lines over what grows, or one of bars for each case. */
export function chartsOf(result) {
  const charts = result.chart.kind === 'lines' && result.cases.length > 1 ? linesOf(result) : barsOf(result)
  return charts.map(({ name, height, option }) => ({ file: `${name}.svg`, svg: render(option, height) }))
}

function render(option, height) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  chart.setOption({ animation: false, backgroundColor: '#fff', ...option })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

/** The cases that differ in `x` only; the largest such group is drawn. */
function linesOf({ suite, title, chart: { x }, cases, machine, date }) {
  const groups = groupBy(cases, keyWithout(x))
  return [...groups.values()]
    .filter((group) => group.length > 1)
    .map((group, index) => ({
      name: index === 0 ? suite : `${suite}-${index + 1}`,
      height: LINES_HEIGHT,
      option: linesOption({ title: `${title}${fixedOf(group[0], x)}`, x, cases: group, machine, date }),
    }))
}

function linesOption({ title, x, cases, machine, date }) {
  const names = cases[0].rows.map(({ name }) => name)
  const series = names.map((name, index) => {
    const data = cases.map(({ parameters, rows }) => [parameters[x], rows[index].value])
    return { name, type: 'line', data, symbolSize: 6, ...lookOf(cases[0].rows[index], index) }
  })
  return {
    title: titleOf(title, machine, date),
    legend: { orient: 'vertical', right: 40, top: 'middle', itemGap: 12 },
    grid: { top: 90, left: 80, right: 240, bottom: 55 },
    xAxis: { type: 'log', name: x, nameLocation: 'middle', nameGap: 32 },
    yAxis: {
      type: 'log',
      name: `${cases[0].unit}, less is better`,
      nameLocation: 'end',
      nameTextStyle: { align: 'left' },
    },
    series,
  }
}

function lookOf({ name, group }, index) {
  const isRivulet = group === 'rivulet'
  return {
    color:
      isRivulet || group === 'contract' || group === 'floor' ? COLOURS[group] : SHADES[index % SHADES.length],
    lineStyle: {
      width: isRivulet ? 3 : 1.5,
      type: name.includes('$') || group === 'floor' ? 'dashed' : 'solid',
    },
  }
}

function barsOf({ suite, title, cases, machine, date }) {
  return cases.map((each) => ({
    name: cases.length === 1 ? suite : `${suite}-${fileNameOf(each.name)}`,
    height: 130 + ROW_HEIGHT * each.rows.length,
    option: barsOption(`${title}: ${each.name}`, each, machine, date),
  }))
}

function fileNameOf(text) {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
}

function barsOption(title, { unit, isLessBetter, rows }, machine, date) {
  const ordered = rows.toReversed() // the first stands on top
  return {
    title: titleOf(title, machine, date),
    grid: { top: 70, left: 250, right: 90, bottom: 45 },
    xAxis: {
      type: 'value',
      name: `${unit}, ${isLessBetter ? 'less' : 'more'} is better`,
      nameLocation: 'middle',
      nameGap: 28,
    },
    yAxis: { type: 'category', data: ordered.map(({ name }) => name), axisTick: { show: false } },
    series: [
      {
        type: 'bar',
        data: ordered.map(({ value, group }) => ({ value, itemStyle: { color: COLOURS[group] } })),
        label: { show: true, position: 'right', formatter: ({ value }) => rounded(value) },
      },
    ],
  }
}

function titleOf(text, machine, date) {
  const subtext = `${machine.cpu}, Node ${machine.node}, ${date.slice(0, 10)}`
  return { text, subtext, left: 'center', textStyle: { fontSize: 16 } }
}

function keyWithout(x) {
  return ({ parameters, unit }) =>
    JSON.stringify([unit, Object.entries(parameters).filter(([name]) => name !== x)])
}

function fixedOf({ parameters }, x) {
  const fixed = Object.entries(parameters).filter(([name]) => name !== x)
  return fixed.length === 0 ? '' : ` (${fixed.map(([name, value]) => `${name} ${value}`).join(', ')})`
}

// Node 20 has no Map.groupBy.
function groupBy(items, keyOf) {
  const groups = new Map()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}
