import { type BatchObservableResult, type MeterProvider, metrics } from '@opentelemetry/api'
import type { Hub, Ledger } from 'rivulet'
import { checkOptions, functionForm, objectForm, type Rules, textForm } from 'rivulet/adapter'
import { type DestinationTemplate, HUB_NAME, SCOPE, templateAttributes } from './attributes.ts'
import { GroupedLedgers } from './grouped-ledgers.ts'
import { Highest } from './highest.ts'
import { instrumentsOf, observeLedger } from './instruments.ts'
import { isUp } from './is-up.ts'
import { safeTemplate } from './safe-template.ts'

/** Options of `observe`. */
export interface ObserveOptions {
  /** The provider of the metrics. @default the global one, `metrics.getMeterProvider()` */
  readonly meterProvider?: MeterProvider | undefined
  /** The value of `rivulet.hub.name`. Must be unique among the hubs of a process. @default the hub's name */
  readonly name?: string | undefined
  /** Splits the metrics by groups of streams. @default one group of all streams of the hub */
  readonly destinationTemplate?: DestinationTemplate | undefined
}

const RULES: Rules<ObserveOptions> = {
  meterProvider: objectForm('a MeterProvider of OpenTelemetry'),
  name: textForm,
  destinationTemplate: functionForm,
}

/**
 * Reports a hub's ledger as OpenTelemetry metrics. The ledger is read when metrics are collected; messages cost nothing
 * extra. Returns a function that stops reporting. No metric contains stream names, except in the groups that
 * `destinationTemplate` returns. Throws `INVALID_OPTIONS`.
 */
export function observe(hub: Hub, options: ObserveOptions = {}): () => void {
  const checked = checkOptions('observe', options, RULES)
  const { meterProvider = metrics.getMeterProvider(), name = hub.name, destinationTemplate } = checked
  const meter = meterProvider.getMeter(...SCOPE)
  const instruments = instrumentsOf(meter)
  const read = ledgersOf(hub, destinationTemplate)
  const missed = new Highest<string | undefined>()
  const missedAway = new Highest<string | undefined>()
  const collect = (result: BatchObservableResult) => {
    const ofHub = { [HUB_NAME]: name }
    for (const [group, ledger] of read()) {
      const counted = {
        ...ledger,
        missed: missed.of(group, ledger.missed),
        missedAway: missedAway.of(group, ledger.missedAway),
      }
      observeLedger(result, instruments, counted, { ...ofHub, ...templateAttributes(group) })
    }
    result.observe(instruments.hubUp, Number(isUp(hub)), ofHub)
  }
  const observables = Object.values(instruments)
  meter.addBatchObservableCallback(collect, observables)
  return () => meter.removeBatchObservableCallback(collect, observables)
}

/** Returns a function that reads the ledger of each group, or of the whole hub under `undefined`. */
function ledgersOf(
  hub: Hub,
  template: DestinationTemplate | undefined,
): () => ReadonlyMap<string | undefined, Ledger> {
  if (template === undefined) return () => new Map([[undefined, hub.ledger()]])
  const ledgers = new GroupedLedgers(hub, safeTemplate(template))
  return () => ledgers.read()
}
