// The subscribing service: prints readings, and publishes alarms on a stream of its own.
import { openHub } from 'rivulet'
import type { Reading } from './reading.ts'

const LIMIT_CELSIUS = 23

const hub = await openHub(process.env.RIVULET_URL ?? 'nats://127.0.0.1:4222')
hub.on('status', (status) => console.log(`the connection is ${status}`))
hub.on('error', (error) => console.log(String(error)))

const alarms = hub.stream<Reading>('alarms')
// `isLocal` distinguishes an alarm of this process from one of another display.
alarms.subscribe(({ data, isLocal }) => {
  console.log(`alarm ${isLocal ? 'raised' : 'heard'}: ${data.celsius} °C`)
})
const subscription = hub.stream<Reading>('readings').subscribe(({ data }) => {
  console.log(`${data.room}: ${data.celsius} °C`)
  // A refusal of `tryPublish` is a value: many displays share one limit of 30 alarms a second.
  if (data.celsius > LIMIT_CELSIUS) alarms.tryPublish(data)
})
await subscription.ready
console.log('listening')

process.once('SIGINT', async () => {
  const { received, missed } = await hub.close()
  console.log(`received ${received}, missed ${missed}`)
})
