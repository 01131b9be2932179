import { type BatchObservableResult, type MeterProvider, metrics } from '@opentelemetry/api'
import type { Hub, Ledger } from 'rivulet'
import { type DestinationTemplate, HUB_NAME, SCOPE, templateAttributes } from './attributes.ts'
import { checkOptions } from './checked-options.ts'
import { GroupedLedgers } from './grouped-ledgers.ts'
import { Highest } from './highest.ts'
import { instrumentsOf, observeLedger } from './instruments.ts'
import { isUp } from './is-up.ts'
import { safeTemplate } from './safe-template.ts'

/** Options of `observe`. */
export interface ObserveOptions {
  /** Where the metrics go. @default the global one, `metrics.getMeterProvider()` */
  readonly meterProvider?: MeterProvider | undefined
  /** The value of `rivulet.hub.name`. Give each hub of a process another one. @default the hub's name */
  readonly name?: string | undefined
  /** Splits the metrics by groups of streams. @default all streams of the hub are one figure */
  readonly destinationTemplate?: DestinationTemplate | undefined
}

const FORMS = { meterProvider: 'object', name: 'string', destinationTemplate: 'function' }

/**
 * Reports a hub's ledger as metrics of OpenTelemetry. The ledger is read when metrics are collected; a message costs
 * nothing more. Returns the function that ends it. Stream names are in no metric unless `destinationTemplate` gives a
 * group. Throws `INVALID_OPTIONS`.
 */
export function observe(hub: Hub, options: ObserveOptions = {}): () => void {
  checkOptions('observe', options, FORMS)
  const { meterProvider = metrics.getMeterProvider(), name = hub.name, destinationTemplate } = options
  const meter = meterProvider.getMeter(...SCOPE)
  const instruments = instrumentsOf(meter)
  const read = ledgersOf(hub, destinationTemplate)
  const missed = new Highest<string | undefined>()
  const collect = (result: BatchObservableResult) => {
    const ofHub = { [HUB_NAME]: name }
    for (const [group, ledger] of read()) {
      const counted = { ...ledger, missed: missed.of(group, ledger.missed) }
      observeLedger(result, instruments, counted, { ...ofHub, ...templateAttributes(group) })
    }
    result.observe(instruments.hubUp, Number(isUp(hub)), ofHub)
  }
  const observables = Object.values(instruments)
  meter.addBatchObservableCallback(collect, observables)
  return () => meter.removeBatchObservableCallback(collect, observables)
}

/** Returns what reads the ledger of each group, or of the whole hub under `undefined`. */
function ledgersOf(
  hub: Hub,
  template: DestinationTemplate | undefined,
): () => ReadonlyMap<string | undefined, Ledger> {
  if (template === undefined) return () => new Map([[undefined, hub.ledger()]])
  const ledgers = new GroupedLedgers(hub, safeTemplate(template))
  return () => ledgers.read()
}
