// The other service: shows what it gets, and raises an alarm on a stream of its own.
import { openHub } from 'rivulet'
import type { Reading } from './reading.ts'

const LIMIT_CELSIUS = 23

const hub = await openHub(process.env.RIVULET_URL ?? 'nats://127.0.0.1:4222')
const alarms = hub.stream<Reading>('alarms')
const subscription = hub.stream<Reading>('readings').subscribe(({ data }) => {
  console.log(`${data.room}: ${data.celsius} °C`)
  if (data.celsius > LIMIT_CELSIUS) alarms.publish(data)
})
alarms.subscribe(({ data, isLocal }) =>
  console.log(`alarm ${isLocal ? 'raised' : 'heard'}: ${data.celsius} °C`),
)
hub.on('status', (status) => console.log(`the connection is ${status}`))
hub.on('error', (error) => console.log(String(error)))
await subscription.ready
console.log('listening')

process.once('SIGINT', async () => {
  const { received, missed } = await hub.close()
  console.log(`received ${received}, missed ${missed}`)
})
