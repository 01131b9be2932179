// A service between two shell scripts: it reads the messages of `measure.sh`, and publishes those for `watch.sh`.
import { openHub } from 'rivulet'

interface Measured {
  readonly sensor: string
  readonly celsius: number
}

const hub = await openHub(process.env.RIVULET_URL ?? 'mqtt://127.0.0.1:1883')
const commands = hub.stream<{ fan: 'on' | 'off'; because: string }>('commands')
const subscription = hub.stream<Measured>('sensors').subscribe(({ sid, data }) => {
  // A message written by hand carries no sid; the receiver gives it one of its own.
  console.log(`${sid.slice(0, 2)}… ${data.sensor}: ${data.celsius} °C`)
  commands.publish({ fan: data.celsius > 22 ? 'on' : 'off', because: data.sensor })
})
await subscription.ready
console.log('listening')

process.once('SIGINT', async () => {
  const { received, delivered, dropped } = await hub.close()
  console.log(`received ${received}, delivered ${delivered}, malformed ${dropped.malformed}`)
})
