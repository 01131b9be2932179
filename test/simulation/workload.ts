import type { Chance } from './chance.ts'
import type { Life } from './life.ts'
import { type Behaviour, type Manner, Reader } from './reader.ts'
import type { Site } from './site.ts'
import type { Data, StreamLife } from './stream-life.ts'

/** What programs do, each as often as its number says. */
export const WORKLOAD = {
  publish: 14,
  publishWrong: 3,
  burst: 6,
  flood: 2,
  trickle: 4,
  publishWhenReady: 5,
  publishLatest: 5,
  feedSubject: 2,
  subscribe: 16,
  unsubscribe: 6,
  comeAgain: 3,
  closeStream: 2,
  removeStream: 2,
  setTtl: 1,
  closeHub: 1,
  flush: 3,
  ready: 2,
  listen: 1,
  ask: 1,
}
/** One of them. */
export type Verb = keyof typeof WORKLOAD

const MANNERS: Readonly<Record<Manner, number>> = {
  subscribes: 6,
  subscribesWithSignal: 2,
  observes: 1,
  observesBarely: 1,
  iterates: 2,
}
const BEHAVIOURS: Readonly<Record<Behaviour, number>> = {
  reads: 20,
  throws: 2,
  rejects: 1,
  passesOn: 3,
  leaves: 2,
  evicts: 1,
  closes: 1,
  removes: 1,
  opensAnother: 1,
  blocks: 1,
}
const MOST_READERS = 6

/** Does one thing in a hub's program. `blocks` says whether subscribers may keep the event loop busy. */
export function work(verb: Verb, site: Site, chance: Chance, blocks: boolean): void {
  site.act((life) => {
    const of = life.open(chance.pick([...life.setup.streams.keys()]))
    if (of === undefined) return
    life.note(`${verb} on ${of.name}`)
    DO[verb]({ life, of, chance, site, blocks })
  })
}

interface Scene {
  readonly life: Life
  readonly of: StreamLife
  readonly chance: Chance
  readonly site: Site
  readonly blocks: boolean
}

const DO: Readonly<Record<Verb, (scene: Scene) => void>> = {
  publish: publishOne,
  publishWrong,
  burst: ({ life, of, chance }) => publishMany(life, of, chance.between(2, 40)),
  flood,
  trickle,
  publishWhenReady,
  publishLatest,
  feedSubject,
  subscribe,
  unsubscribe: ({ of, chance }) => chance.pick([...of.readers])?.stop(),
  comeAgain,
  closeStream: ({ life, of }) => life.ends(of, () => of.stream.close()),
  removeStream: ({ life, of }) => life.ends(of, () => of.stream.remove()),
  setTtl: ({ of, chance }) => of.stream.setTtl(chance.pick([0, 1, 30, 100, 31_536_000])),
  closeHub: ({ site, chance }) => void site.restart(chance.between(0, 20_000)),
  flush: ({ life }) => life.flush(),
  ready: ({ life }) => life.askReady(),
  listen,
  ask: ({ of }) => void [of.stream.budget(), of.stream.expiresAt, of.stream.ledger()],
}

function publishOne({ life, of, chance }: Scene): void {
  const data = dataOf(life, chance.isHit(0.2) ? 'x'.repeat(chance.pick([10, 200, 900])) : undefined)
  if (chance.isHit(0.5)) of.publish((stream) => stream.publish(data))
  else of.publish((stream) => messageOf(stream.tryPublish(data)))
}

function publishWrong({ life, of, chance }: Scene): void {
  const data = dataOf(life)
  const cycle: Record<string, unknown> = { ...data }
  cycle.itself = cycle
  const wrong = chance.pick<object>([
    { ...data, isBad: true },
    { ...data, pad: 'x'.repeat(70_000) },
    cycle,
    [1],
    { ...data, big: 1n },
    new Map(),
    { toJSON: () => 5 },
  ])
  of.publish((stream) => stream.publish(wrong as Data))
}

function publishMany(life: Life, of: StreamLife, count: number): void {
  const { world } = life.network
  for (let nth = 0; nth < count && !of.stream.closed && !world.isHealed; nth++) {
    const data = dataOf(life)
    of.publish((stream) => messageOf(stream.tryPublish(data)))
  }
}

/** More than the window of seen numbers holds, where no limit forbids it. */
function flood({ life, of }: Scene): void {
  const most = of.options.limit === false ? 16 : 2
  const { time } = life.network.world
  for (let nth = 0; nth < most; nth++) {
    time.at(time.nowMs + 40 * nth, () => publishMany(life, of, 100), life.machine)
  }
}

/** Something every second or so for a while: what clocks and ages are judged by. */
function trickle({ life, of, chance }: Scene): void {
  const { time } = life.network.world
  const everyMs = chance.between(300, 2_500)
  const count = chance.between(5, 40)
  for (let nth = 0; nth < count; nth++) {
    time.at(time.nowMs + everyMs * nth, () => publishMany(life, of, 1), life.machine)
  }
}

function publishWhenReady({ life, of, chance }: Scene): void {
  const { time } = life.network.world
  for (let nth = chance.between(1, 30); nth > 0 && !of.stream.closed; nth--) {
    const abort = new AbortController()
    const options = chance.isHit(0.3) ? { signal: abort.signal } : undefined
    life.attempts++
    const published = of.stream.publishWhenReady(dataOf(life), options)
    published.catch(() => {}).then(() => life.endedSignals.push(abort.signal))
    if (options !== undefined) time.at(time.nowMs + chance.below(3_000), () => abort.abort(), life.machine)
  }
}

function publishLatest({ life, of, chance }: Scene): void {
  for (let nth = chance.between(1, 30); nth > 0 && !of.stream.closed; nth--) {
    const key = chance.below(3)
    const data = dataOf(life)
    of.publish((stream) => stream.publishLatest(data, { key }))
  }
}

function feedSubject({ life, of }: Scene): void {
  life.attempts++
  of.stream.subject.next(dataOf(life))
}

function subscribe({ of, chance, blocks }: Scene): void {
  if (of.readers.size >= MOST_READERS) return
  const behaviour = chance.pickWeighted(BEHAVIOURS)
  const isAllowed = behaviour !== 'blocks' || blocks
  const manner = chance.pickWeighted(MANNERS)
  const reader = new Reader(of, manner, isAllowed ? behaviour : 'reads', chance).start()
  if (chance.isHit(0.5)) reader.askReady()
}

/** Everybody leaves, and somebody comes in the same tick, or in the next. */
function comeAgain({ of, chance }: Scene): void {
  for (const reader of [...of.readers]) reader.stop()
  const come = () => of.stream.closed || new Reader(of, 'subscribes', 'reads', chance).start()
  if (chance.isHit(0.5)) come()
  else queueMicrotask(come)
}

/** A listener of an event that throws. */
function listen({ life, of }: Scene): void {
  of.stream.once('messagePublished', () => {
    life.throws++
    throw new Error('from a listener')
  })
}

function dataOf(life: Life, pad?: string): Data {
  return { n: life.nextNumber(), depth: 0, ...(pad === undefined ? {} : { pad }) }
}

function messageOf(result: { ok: boolean; message?: unknown }): never {
  return (result.ok ? result.message : undefined) as never
}
