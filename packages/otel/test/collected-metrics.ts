import type { Attributes } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'

/** The SDK for metrics, with an exporter in memory. */
export class CollectedMetrics {
  readonly #exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  readonly #reader = new PeriodicExportingMetricReader({
    exporter: this.#exporter,
    exportIntervalMillis: 2 ** 30,
  })
  readonly provider = new MeterProvider({ readers: [this.#reader] })
  #latest = new Map<string, MetricData>()

  /** Collects everything once, and lets it be exported. */
  async collect(): Promise<void> {
    this.#exporter.reset()
    await this.provider.forceFlush()
    this.#take(this.#exporter.getMetrics())
  }

  /** Collects everything once and exports nothing: no timer is needed. */
  async read(): Promise<void> {
    const { resourceMetrics } = await this.#reader.collect()
    this.#take([resourceMetrics])
  }

  /** The names of the collected metrics. */
  get names(): string[] {
    return [...this.#latest.keys()]
  }

  /** Returns a collected metric. */
  metric(name: string): MetricData | undefined {
    return this.#latest.get(name)
  }

  /** Returns the sum of a metric's values with these attributes; `undefined` without any. */
  valueOf(name: string, attributes: Attributes = {}): number | undefined {
    const points = (this.#latest.get(name)?.dataPoints ?? []) as { attributes: Attributes; value: number }[]
    const wanted = Object.entries(attributes)
    const fitting = points.filter((point) => wanted.every(([key, value]) => point.attributes[key] === value))
    return fitting.length === 0 ? undefined : fitting.reduce((sum, { value }) => sum + value, 0)
  }

  /** Each time series as a line of text, with its value. */
  get series(): Map<string, number> {
    const lines = [...this.#latest.values()].flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(
        ({ attributes, value }) =>
          [`${descriptor.name} ${JSON.stringify(attributes)}`, value as number] as const,
      ),
    )
    return new Map(lines)
  }

  #take(exported: readonly ResourceMetrics[]): void {
    const found = exported.flatMap(({ scopeMetrics }) => scopeMetrics).flatMap(({ metrics }) => metrics)
    this.#latest = new Map(found.map((metric) => [metric.descriptor.name, metric]))
  }
}
