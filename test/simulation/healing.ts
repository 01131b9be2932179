import type { Topic } from 'rivulet'
import { Chance } from './chance.ts'
import type { Life } from './life.ts'
import type { Network } from './network.ts'
import { Reader } from './reader.ts'
import type { Site } from './site.ts'
import type { StreamLife } from './stream-life.ts'
import { nameIn } from './wire.ts'
import type { World } from './world.ts'

/** A join that cost the connection each time waits up to 300 s; the others far less. */
const MOST_TO_RECOVER_MS = 340_000
/** A publisher whose clock has stepped, or whose numbers are forged, is muted for a minute at the most; a few messages have to come after. */
const MOST_TO_HEAR_MS = 200_000
/**
 * A smallest delay that was forged, or is from before a clock stepped, may be believed again after a minute in which all
 * was late, and then counts for two: some of what comes may seem late until then.
 */
const BASELINES_MS = 200_000
/** A hub at rest has one for its next barrier, or for the deadline of one. */
const MOST_TIMERS = 4
const SLICE_MS = 1_000
/** What is published on a healthy network is everywhere by then. */
const MOST_TO_ARRIVE_MS = 3_000

type Pass = (ms: number) => Promise<void>

/** Checks, on a network that is whole again, that everything recovers within a bound of virtual time; then closes. */
export async function findWhatStaysBroken(
  network: Network,
  sites: readonly Site[],
  pass: Pass,
): Promise<void> {
  const { world } = network
  const isOver = () => world.failure !== undefined
  // What still runs in a process that is busy, or is closing, is let run first.
  do await pass(SLICE_MS)
  while (!isOver() && sites.some(({ life }) => isEngaged(life)))
  for (const site of sites) askAll(site)
  for (let atMs = 0; !isOver() && whatIsOpen(sites).length > 0; atMs += SLICE_MS) {
    if (atMs > MOST_TO_RECOVER_MS) return report(world, 'everything recovers', whatIsOpen(sites))
    await pass(SLICE_MS)
    for (const { life, number } of sites) listenToAll(life, number)
  }
  beginAnew(network, sites)
  const probes = new Probes(network, sites)
  const isWrong = areClocksWrong(sites) || network.forgeries.areThere
  const leastMs = isWrong ? BASELINES_MS : 0
  for (let atMs = 0; !isOver() && (atMs < leastMs || probes.missing().length > 0); ) {
    if (atMs > MOST_TO_HEAR_MS) return report(world, 'everybody hears everybody again', probes.missing())
    atMs += await probes.publish(pass)
  }
  do {
    probes.forget()
    await probes.publish(pass)
  } while (!isOver() && probes.haveForgedNumbers)
  await pass(MOST_TO_ARRIVE_MS)
  if (isOver()) return
  if (probes.missing().length > 0)
    return report(world, 'what is published arrives everywhere', probes.missing())
  await closeAll(world, sites, pass)
}

/** A publisher that forged numbers mute for long opens its stream anew, as the documents tell it to. */
function beginAnew({ forgeries, publishing }: Network, sites: readonly Site[]): void {
  const isAgeJudged = (topic: Topic) => sites[0]?.life.setup.streams.get(nameIn(topic))?.maxAgeMs !== false
  for (const origin of forgeries.mutedForLong(isAgeJudged, areClocksWrong(sites))) {
    const { link, topic } = publishing(origin) ?? {}
    const site = sites.find(({ life }) => life.link === link)
    const of = topic && site?.life.streams.get(nameIn(topic))
    if (of === undefined || site === undefined) continue
    site.life.ends(of, () => of.stream.close())
    listenToAll(site.life, site.number)
  }
}

function areClocksWrong(sites: readonly Site[]): boolean {
  return sites.some(({ life }) => life.machine.isMeddledWith)
}

async function closeAll(world: World, sites: readonly Site[], pass: Pass): Promise<void> {
  let closed = 0
  for (const { life } of sites) life.close().then(() => closed++)
  await pass(12_000)
  if (closed < sites.length) report(world, 'close ends', [`${closed} of ${sites.length} have closed`])
}

function report(world: World, law: string, missing: readonly string[]): void {
  world.fail(law, -1, missing.slice(0, 6).join('; '))
}

/** Every hub opens every stream, and asks whether it is ready. */
function askAll({ life, number }: Site): void {
  listenToAll(life, number)
  life.flush()
  life.askReady()
}

/** Every stream is read, by nobody who ends it, and readers are asked again: a late removal, a refused join. */
function listenToAll(life: Life, number: number): void {
  for (const name of life.setup.streams.keys()) {
    const of = life.open(name) as StreamLife
    for (const reader of [...of.readers]) if (reader.isTroublesome) reader.stop()
    if (of.readers.size === 0) new Reader(of, 'subscribes', 'reads', new Chance(number)).start()
    if (of.stream.ttlSeconds > 0) of.stream.setTtl(0)
    for (const reader of of.readers) reader.askReady()
  }
}

function isEngaged({ machine, isClosing }: Life): boolean {
  return isClosing || machine.isDead || machine.isBusy
}

/** Tells what has not recovered yet. */
function whatIsOpen(sites: readonly Site[]): string[] {
  return sites.flatMap(({ life, number }) => {
    const { hub, streams, openBarriers, machine } = life
    if (hub.status !== 'up') return [`hub ${number} is ${hub.status}`]
    const open: string[] = []
    if (machine.pendingTimers > MOST_TIMERS) open.push(`hub ${number} runs ${machine.pendingTimers} timers`)
    if (openBarriers > 0) open.push(`hub ${number} waits for ${openBarriers} answers`)
    if (hub.ledger().waiting > 0) open.push(`hub ${number} has messages in line`)
    if (streams.size < life.setup.streams.size) open.push(`hub ${number} has not opened all`)
    for (const { name, readers } of streams.values()) {
      if (readers.size > 0 && !life.hasJoined(name)) open.push(`hub ${number} has not joined ${name}`)
      if ([...readers].some(({ isReady }) => !isReady))
        open.push(`a reader of ${name} at ${number} is not ready`)
    }
    return open
  })
}

/** Messages from every hub on every stream, one after the other, and who has heard whom. */
class Probes {
  /** Whether an intruder forged the number of one of the last messages before: the forged one counts in its place. */
  haveForgedNumbers = false
  readonly #network: Network
  readonly #sites: readonly Site[]
  /** `from>to name`. */
  readonly #missing = new Set<string>()

  constructor(network: Network, sites: readonly Site[]) {
    this.#network = network
    this.#sites = sites
    this.forget()
    for (const { life } of sites) {
      life.intake.heardFrom = (from, name) => this.#missing.delete(`${from}>${life.setup.site} ${name}`)
    }
  }

  forget(): void {
    for (const from of this.#sites) {
      for (const to of this.#sites) {
        if (from === to) continue
        for (const name of to.life.setup.streams.keys())
          this.#missing.add(`${from.number}>${to.number} ${name}`)
      }
    }
  }

  missing(): string[] {
    return [...this.#missing]
  }

  /** Lets each hub publish once on each stream, slowly enough for every limit. Returns how long it took. */
  async publish(pass: Pass): Promise<number> {
    let tookMs = 0
    this.haveForgedNumbers = false
    for (const { life, number } of this.#sites) {
      listenToAll(life, number)
      for (const of of life.streams.values()) {
        const message = of.publish((stream) => stream.publish({ n: life.nextNumber(), depth: 9 }))
        if (message && this.#network.forgeries.has(message.sid)) this.haveForgedNumbers = true
      }
      await pass(SLICE_MS)
      tookMs += SLICE_MS
    }
    return tookMs
  }
}
