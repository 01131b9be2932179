// One process of two that trace over a broker: `publish`, or `receive`. Prints its spans as JSON at the end.
import { openHub } from 'rivulet'
import { traceMessages } from '../src/index.ts'
import { RecordedSpans } from './recorded-spans.ts'

const [role, url = ''] = process.argv.slice(2)
const recorded = new RecordedSpans()
const tracing = traceMessages({ tracerProvider: recorded.provider, destinationTemplate: (name) => name })
const hub = await openHub({ transport: url, name: 'fleet' })
const positions = hub.stream('positions')

if (role === 'receive') {
  let heard = () => {}
  const done = new Promise<void>((resolve) => {
    heard = resolve
  })
  await positions.subscribe(() => heard()).ready
  console.log('ready')
  await done
} else {
  positions.publish({ truck: 7 })
  await hub.flush()
}
await hub.close()
tracing.stop()
console.log(`spans ${JSON.stringify(recorded.spans)}`)
