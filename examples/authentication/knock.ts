// Opens a hub with the credentials in the URL. Usage: RIVULET_URL=nats://user:password@host:port tsx knock.ts
import { openHub, RivuletError } from 'rivulet'

try {
  const hub = await openHub(process.env.RIVULET_URL ?? 'nats://fleet:secret@127.0.0.1:4222')
  const stream = hub.stream('door')
  stream.subscribe(({ data }) => console.log(data))
  stream.publish({ knock: 'accepted' })
  await hub.close()
} catch (error) {
  if (!RivuletError.is(error)) throw error
  // TRANSPORT_FAILED: the broker rejects us; trying again soon does not help. TRANSPORT_UNAVAILABLE: no broker answers.
  console.log(`${error.code}: ${error.message}`)
  process.exitCode = 1
}
