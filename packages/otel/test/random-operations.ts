import type { MemoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import type { Hub } from 'rivulet'
import { pass } from '../../../test/support/fake-time.ts'

const WHERE = { hub: fc.nat({ max: 1 }), name: fc.constantFrom('a', 'b') }
/** The operations on two hubs on a bus. */
export const operations = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('publish' as const),
      ...WHERE,
      verb: fc.constantFrom('tryPublish' as const, 'publishWhenReady' as const, 'publishLatest' as const),
      data: fc.constantFrom<unknown>({ n: 1 }, { text: 'x'.repeat(300) }, [1], { n: 1n }),
      times: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('subscribe' as const), ...WHERE }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('pass' as const), ms: fc.constantFrom(1, 40, 1200) }) },
  fc.record({ op: fc.constantFrom('close' as const, 'remove' as const), ...WHERE }),
  fc.record({ op: fc.constantFrom('down' as const, 'up' as const, 'freeze' as const, 'thaw' as const) }),
)
/** One operation. */
export type Operation = typeof operations extends fc.Arbitrary<infer T> ? T : never

/** The faults of the bus. */
export const faults = fc.record({
  seed: fc.nat(),
  loss: fc.constantFrom(0, 0.3),
  duplicate: fc.constantFrom(0, 0.3),
  reorder: fc.constantFrom(0, 0.3),
})

const OPTIONS = { limit: { ratePerSecond: 20, burst: 3 }, maxWaiting: 4, maxBytes: 200, maxAgeMs: 500 }
/** Runs one operation. */
export async function perform(operation: Operation, bus: MemoryBus, hubs: readonly Hub[]): Promise<void> {
  switch (operation.op) {
    case 'pass':
      return pass(operation.ms, 40)
    case 'publish':
      return publish(operation, streamOf(operation, hubs))
    case 'subscribe':
      return void streamOf(operation, hubs).subscribe(() => {})
    case 'close':
    case 'remove':
      return streamOf(operation, hubs)[operation.op]()
    default:
      bus[operation.op]()
      return pass(1)
  }
}

function streamOf({ hub, name }: { readonly hub: number; readonly name: string }, hubs: readonly Hub[]) {
  return (hubs[hub] as Hub).stream(name, OPTIONS)
}

function publish(
  operation: Extract<Operation, { op: 'publish' }>,
  stream: ReturnType<typeof streamOf>,
): void {
  const data = operation.data as { n: number }
  for (let time = 0; time < operation.times; time++) {
    if (operation.verb === 'tryPublish') stream.tryPublish(data)
    else if (operation.verb === 'publishWhenReady') stream.publishWhenReady(data).catch(() => {})
    else attempt(() => stream.publishLatest(data, { key: `${time % 2}` }))
  }
}

function attempt(action: () => unknown): void {
  try {
    action()
  } catch {
    // A refusal, which the ledger counts.
  }
}
