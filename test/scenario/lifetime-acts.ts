import { type Message, openHub } from 'rivulet'
import { both, dataOf, listen, outcomeOf, type Pair, until } from './pair.ts'

/** Names reach their own stream and no other, however alike they look. */
export async function names({ west, east }: Pair) {
  const all = [
    'a/b',
    'a.b',
    'A/B',
    'a%2Fb',
    '+',
    '#',
    '>',
    '*',
    '$SYS',
    '__proto__',
    'caf\u00e9',
    'cafe\u0301',
    '🌊'.repeat(160),
  ]
  const heard = await Promise.all(all.map((name) => listen(east.stream(name))))
  for (const [index, name] of all.entries()) west.stream(name).publish({ index })
  await until(() => heard.every(({ length }) => length > 0))
  return heard.map(dataOf)
}

/** Nobody gets what was published before he came or after he went. */
export async function comingAndGoing({ west, east }: Pair) {
  const publisher = west.stream('coming')
  const stays: Message[][] = []
  for (let n = 1; n <= 4; n += 2) {
    publisher.publish({ n })
    await west.flush()
    const stay: Message[] = []
    const subscription = east.stream('coming').subscribe((message) => stay.push(message))
    await subscription.ready
    publisher.publish({ n: n + 1 })
    await until(() => stay.length > 0)
    subscription.unsubscribe()
    stays.push(stay)
  }
  return stays.map(dataOf)
}

/** Hubs of another name never meet these. */
export async function namespaces({ west, east }: Pair, url: string) {
  const elsewhere = await openHub({ transport: url, name: 'elsewhere' })
  const stray = await listen(elsewhere.stream('namespaces'))
  const heard = await listen(east.stream('namespaces'))
  west.stream('namespaces').publish({ n: 1 })
  await until(() => heard.length === 1)
  const ledger = await elsewhere.close()
  return { heard: dataOf(heard), stray: dataOf(stray), received: ledger.received }
}

/** A removal ends the stream on the other side too; the next one of the name is a new one. */
export async function removal(pair: Pair) {
  const { west, east, heard } = await both(pair, 'removal')
  const ended = new Promise((resolve) => east.on('removed', resolve))
  west.publish({ n: 1 })
  west.remove()
  const event = await ended
  const code = outcomeOf(east.tryPublish({ n: 2 }))
  const next = await both(pair, 'removal')
  next.west.publish({ n: 3 })
  await until(() => next.heard.east.length === 1)
  return {
    event,
    code,
    before: dataOf(heard.east),
    after: dataOf(next.heard.east),
    isNew: next.east !== east,
  }
}
