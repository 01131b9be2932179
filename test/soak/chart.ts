import * as echarts from 'echarts'
import { handlesOf, type Line, type TimedSample, warmUpMs } from './slopes.ts'
import type { SoakResult } from './soak.ts'

const WIDTH = 900
const PANEL = { top: 70, height: 150, step: 215 }
const INK = '#343a40'
const GRID = '#dee2e6'
const FAULT = 'rgba(232, 89, 12, 0.15)'
const COLOURS = ['#0b8fa8', '#868e96', '#be4bdb']
const MS_A_MINUTE = 60_000
const BYTES_A_MEGABYTE = 1e6

interface Panel {
  readonly name: string
  readonly series: readonly { readonly name: string; readonly read: (sample: TimedSample) => number }[]
  /** Drawn from the end of the warm-up on, in the panel's unit. */
  readonly line: { readonly fitted: Line | undefined; readonly unit: number }
}

/** Draws heap, handles and delays of a soak over its time as an SVG, with the lines fitted to them and the faults. */
export function drawSoak(result: SoakResult): string {
  const { settings, slopes } = result
  const panels: readonly Panel[] = [
    {
      name: 'heap in use after a collection, MB',
      series: [{ name: 'heap', read: ({ heapBytes }) => heapBytes / BYTES_A_MEGABYTE }],
      line: { fitted: slopes?.heapBytes, unit: BYTES_A_MEGABYTE },
    },
    {
      name: 'sockets, timers and other handles',
      series: [{ name: 'handles', read: handlesOf }],
      line: { fitted: slopes?.handles, unit: 1 },
    },
    {
      name: 'delay of timers, ms: the latest of 100, and the median',
      series: [
        { name: 'of 99 in 100 at most', read: ({ delayMs }) => delayMs.p99 },
        { name: 'of half at most', read: ({ delayMs }) => delayMs.p50 },
      ],
      line: { fitted: slopes?.delayP99Ms, unit: 1 },
    },
  ]
  const size = { width: WIDTH, height: PANEL.top + panels.length * PANEL.step }
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, ...size })
  chart.setOption({
    animation: false,
    backgroundColor: '#fff',
    color: COLOURS,
    title: {
      text: `${settings.hubs} hubs and ${settings.streams} streams on ${settings.broker}, seed ${settings.seed}`,
      subtext: 'Shaded: a fault. Dashed: fitted by least squares, after the warm-up.',
      left: 12,
      top: 8,
      textStyle: { fontSize: 15, color: INK },
    },
    grid: panels.map((_, index) => ({
      left: 60,
      right: 20,
      height: PANEL.height,
      top: PANEL.top + 35 + index * PANEL.step,
    })),
    xAxis: panels.map((_, gridIndex) => ({
      gridIndex,
      type: 'value',
      max: result.durationMs / MS_A_MINUTE,
      axisLabel: { formatter: '{value} min', color: INK, showMaxLabel: false },
      splitLine: { show: false },
    })),
    yAxis: panels.map(({ name }, gridIndex) => ({
      gridIndex,
      type: 'value',
      min: 0,
      name,
      nameTextStyle: { color: INK, align: 'left' },
      splitLine: { lineStyle: { color: GRID } },
    })),
    series: panels.flatMap((panel, index) => seriesOf(panel, index, result)),
  })
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg
}

function seriesOf({ series, line }: Panel, index: number, { samples, outages, durationMs }: SoakResult) {
  const look = { type: 'line', xAxisIndex: index, yAxisIndex: index, showSymbol: false, silent: true }
  const faults = outages.map(({ fromMs, toMs }) => [
    { xAxis: fromMs / MS_A_MINUTE },
    { xAxis: toMs / MS_A_MINUTE },
  ])
  const drawn = series.map(({ name, read }, nth) => ({
    ...look,
    name,
    lineStyle: { width: 1.5 },
    data: samples.map((sample) => [sample.atMs / MS_A_MINUTE, read(sample)]),
    ...(nth === 0 && { markArea: { silent: true, itemStyle: { color: FAULT }, data: faults } }),
  }))
  const { fitted, unit } = line
  if (fitted === undefined) return drawn
  const ends = [warmUpMs(durationMs), durationMs].map((ms) => ms / MS_A_MINUTE)
  const data = ends.map((minute) => [minute, (fitted.start + fitted.slope * minute) / unit])
  return [...drawn, { ...look, data, lineStyle: { width: 1.5, type: 'dashed', color: INK } }]
}
