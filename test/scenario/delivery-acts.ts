import type { Message } from 'rivulet'
import { firstValueFrom, map, take, toArray } from 'rxjs'
import { both, dataOf, listen, type Pair, until } from './pair.ts'

/** Both publish, both hear both: once each, local first, in the order of each publisher. */
export async function exchange(pair: Pair) {
  const { west, east, heard } = await both(pair, 'exchange')
  for (let n = 1; n <= 5; n++) {
    west.publish({ from: 'west', n })
    east.publish({ from: 'east', n })
  }
  await until(() => heard.west.length >= 10 && heard.east.length >= 10)
  const bySource = (messages: readonly Message[]) => ({
    own: dataOf(messages.filter(({ isLocal }) => isLocal)),
    other: dataOf(messages.filter(({ isLocal }) => !isLocal)),
  })
  return { west: bySource(heard.west), east: bySource(heard.east) }
}

/** The value is what JSON makes of it, as it was at the publish, frozen, the same here and there. */
export async function values(pair: Pair) {
  const { west, heard } = await both(pair, 'values')
  const data = {
    when: new Date(0),
    gone: undefined,
    list: [undefined, Number.NaN, -0],
    text: 'é 🌊 \0 \ud800',
    in: { a: 1 },
  }
  west.publish(data)
  data.in.a = 2
  await until(() => heard.east.length === 1)
  const [here, there] = [heard.west[0] as Message, heard.east[0] as Message]
  const isFrozen = ({ data }: Message) =>
    Object.isFrozen(data) && Object.isFrozen((data as { in: object }).in)
  return {
    here: here.data,
    there: there.data,
    frozen: [isFrozen(here), isFrozen(there)],
    sameSid: here.sid === there.sid,
  }
}

/** What a subscriber publishes comes after what it answers, for all, there too. */
export async function republishing(pair: Pair) {
  const { west, east, heard } = await both(pair, 'republishing')
  east.subscribe(({ data }) => data.ask !== undefined && east.publish({ answer: data.ask }))
  west.subscribe(({ data }) => data.answer === 1 && west.publish({ thanks: 1 }))
  west.publish({ ask: 1 })
  await until(() => heard.west.length === 3 && heard.east.length === 3)
  return { west: dataOf(heard.west), east: dataOf(heard.east) }
}

/** A subscriber that throws hurts neither its neighbours nor the connection. */
export async function throwing({ west, east }: Pair) {
  const stream = east.stream('throwing')
  const errors: unknown[] = []
  stream.on('error', ({ code, stream, cause }) =>
    errors.push(`${code} on ${stream}: ${(cause as Error).message}`),
  )
  stream.subscribe(({ data }) => {
    throw new Error(`thrown at ${data.n}`)
  })
  stream.subscribe(async ({ data }) => Promise.reject(new Error(`rejected at ${data.n}`)))
  const heard = await listen(stream)
  for (let n = 1; n <= 3; n++) west.stream('throwing').publish({ n })
  await until(() => heard.length === 3 && errors.length === 6)
  return { heard: dataOf(heard), errors: errors.sort(), counted: stream.ledger().listenerErrors }
}

/** A bounded buffer gives up the oldest, and counts it. */
export async function iterating({ west, east }: Pair) {
  const stream = east.stream('iterating')
  const iterator = stream.iterate({ buffer: 4 })
  const heard = await listen(stream)
  for (let n = 1; n <= 10; n++) west.stream('iterating').publish({ n })
  await until(() => heard.length === 10)
  stream.close()
  const read: unknown[] = []
  for await (const { data } of iterator) read.push(data)
  return { read, dropped: stream.ledger().iteratorDrops }
}

/** RxJS on both ends. */
export async function observing({ west, east }: Pair) {
  const stream = east.stream<{ n: number }>('observing')
  const squares = firstValueFrom(
    stream.messages$.pipe(
      map(({ data }) => data.n ** 2),
      take(3),
      toArray(),
    ),
  )
  await listen(stream)
  for (let n = 1; n <= 4; n++) west.stream<{ n: number }>('observing').subject.next({ n })
  return squares
}
