import * as echarts from 'echarts'
import { rounded } from './table.mjs'

// Apache ECharts: one well-kept package that draws to an SVG string without a browser or a canvas.

const COLOURS = { rivulet: '#0b8fa8', contract: '#e8590c', floor: '#868e96' }
const SHADES = ['#5c7cfa', '#2f9e44', '#be4bdb', '#f08c00', '#e64980', '#66a80f', '#845ef7', '#c92a2a']
const PICTURE = { ink: '#343a40', grid: '#dee2e6', backgroundColor: '#fff', top: 80 }
// The page defines these colours, for light and dark mode.
const PAGE = { ink: 'var(--ink)', grid: 'var(--line)', backgroundColor: 'transparent', top: 40 }
const WIDE = { width: 900, height: 560, right: 180, fontSize: 12 }
const NARROW = { width: 390, height: 520, right: 140, fontSize: 10 }
const ROW_HEIGHT = 26

/** Draws a suite's pictures for the README: lines of a few rows, or the bars of a few cases. */
export function picturesOf(result) {
  const { suite, title, picture = {}, cases } = result
  if (picture.rows !== undefined) {
    const shown = groupsOf(result)[0]?.map((each) => ({
      ...each,
      rows: each.rows.filter(({ name }) => picture.rows.includes(name)),
    }))
    const option = shown && linesOption(result, shown, WIDE, PICTURE)
    return shown
      ? [{ file: `${suite}.svg`, svg: render({ title: titleOf(title, result), ...option }, WIDE) }]
      : []
  }
  const barCases = cases.filter(({ name }) => picture.cases?.includes(name))
  return barCases.map((each) => barsPicture(result, each))
}

/** Draws each group of cases that differ in one number only as lines, for a wide page and for a narrow one. */
export function chartsOf(result) {
  return groupsOf(result).map((cases) => ({
    wide: render(linesOption(result, cases, WIDE, PAGE), WIDE),
    narrow: render(linesOption(result, cases, NARROW, PAGE), NARROW),
  }))
}

function render(option, { width, height }) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height })
  chart.setOption({ animation: false, ...option })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

function groupsOf({ lines, cases }) {
  const groups = new Map()
  for (const each of lines === undefined ? [] : cases) {
    const { [lines]: _, ...fixed } = each.parameters
    const key = JSON.stringify(fixed)
    groups.set(key, [...(groups.get(key) ?? []), each])
  }
  return [...groups.values()].filter((group) => group.length > 1)
}

function linesOption({ lines }, cases, { right, fontSize }, { ink, grid, backgroundColor, top }) {
  const axis = {
    axisLabel: { color: ink, fontSize },
    axisLine: { lineStyle: { color: ink } },
    splitLine: { lineStyle: { color: grid } },
  }
  const nameTextStyle = { color: ink, align: 'left' }
  return {
    backgroundColor,
    grid: { top, left: 75, right, bottom: 55 },
    xAxis: {
      ...axis,
      type: 'log',
      name: lines,
      nameLocation: 'middle',
      nameGap: 28,
      nameTextStyle: { color: ink },
    },
    yAxis: { ...axis, type: 'log', name: `${cases[0].unit}, less is better`, nameTextStyle },
    series: cases[0].rows.map((row, index) => ({
      ...lineStyle(row, index, fontSize),
      ...{ name: row.name, type: 'line', silent: true, symbol: 'circle', symbolSize: 5 },
      data: cases.map(({ parameters, rows }) => [parameters[lines], rows[index].columns[0].value]),
    })),
  }
}

function lineStyle({ name, group }, index, fontSize) {
  const isRivulet = group === 'rivulet'
  const color = COLOURS[group] ?? SHADES[index % SHADES.length]
  return {
    color,
    lineStyle: {
      width: isRivulet ? 4 : 1.5,
      type: name.includes('$') || group === 'floor' ? 'dashed' : 'solid',
    },
    endLabel: {
      show: true,
      formatter: '{a}',
      color,
      fontSize,
      distance: 6,
      fontWeight: isRivulet ? 'bold' : 'normal',
    },
    labelLayout: { moveOverlap: 'shiftY' },
    z: isRivulet ? 3 : 2,
  }
}

function barsPicture(result, { name, unit, isLessBetter, rows }) {
  const ordered = rows.toReversed() // the first is on top
  const size = { width: WIDE.width, height: 130 + ROW_HEIGHT * rows.length }
  const data = ordered.map(({ columns, group }) => ({
    value: columns[0].value,
    itemStyle: { color: COLOURS[group] ?? COLOURS.floor },
  }))
  const option = {
    backgroundColor: PICTURE.backgroundColor,
    title: titleOf(`${result.title}: ${name}`, result),
    grid: { top: 70, left: 250, right: 90, bottom: 45 },
    xAxis: {
      type: 'value',
      name: `${unit}, ${isLessBetter ? 'less' : 'more'} is better`,
      nameLocation: 'middle',
      nameGap: 28,
    },
    yAxis: { type: 'category', data: ordered.map((row) => row.name), axisTick: { show: false } },
    series: [
      {
        type: 'bar',
        data,
        label: { show: true, position: 'right', formatter: ({ value }) => rounded(value) },
      },
    ],
  }
  return { file: `${result.suite}-${fileNameOf(name)}.svg`, svg: render(option, size) }
}

function fileNameOf(text) {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
}

function titleOf(text, { machine, columns, date }) {
  const subtext = `${machine.cpu}, Node ${columns[0].node}, ${date.slice(0, 10)}`
  return { text, subtext, left: 'center', textStyle: { fontSize: 16 } }
}
