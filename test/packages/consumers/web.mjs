import { Hub, Message, openHub, RivuletError, Stream, Subscription } from 'rivulet'

/** Publishes to a subscriber of the same hub and to one of another hub, and asks for a broker. */
export async function publishInTheWeb() {
  const hubs = await Promise.all([openHub('memory:web'), openHub('memory:web')])
  const [near, far] = hubs.map((hub) => hub.stream('positions'))
  const seen = []
  const arrived = new Promise((resolve) => {
    near.subscribe(({ data, isLocal }) => seen.push({ data, isLocal }))
    far.subscribe(resolve)
  })
  const subscription = far.subscribe(() => {})
  await subscription.ready
  near.publish({ truck: 7 })
  const message = await arrived
  seen.push({ data: message.data, isLocal: message.isLocal })
  const refusal = await openHub('nats://127.0.0.1:4222').catch((error) => error)
  const isInstance = [
    hubs[0] instanceof Hub,
    near instanceof Stream,
    message instanceof Message,
    subscription instanceof Subscription,
    refusal instanceof RivuletError,
  ]
  await Promise.all(hubs.map((hub) => hub.close()))
  const { code, message: text } = refusal
  return { seen, isInstance, code, namesSchemes: text.includes('memory:') && text.includes('nats:') }
}
