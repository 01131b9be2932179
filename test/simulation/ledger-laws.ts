import { type Ledger, Stream } from 'rivulet'
import type { Life } from './life.ts'

/** Timers that one hub may have at a time. */
const MOST_TIMERS = 100
/** Two barriers in a row that have 2 s each. */
const MOST_UNNOTICED_MS = 4_200

/** Checks a hub's ledger against its own laws, and against what truly happened. */
export function checkLedgers(life: Life): void {
  const { hub, link, machine } = life
  const ledger = hub.ledger()
  checkSums(life, ledger)
  const expect = (isKept: boolean, law: string) => life.check(isKept, law, () => shown(ledger))
  expect(ledger.attempts === life.attempts, 'every attempt is counted')
  expect(ledger.listenerErrors === life.throws, 'every throw of a listener is counted')
  const sent = ledger.confirmed + ledger.inFlight + ledger.unconfirmed
  expect(sent === link.sentMessages, 'what was sent is in flight, confirmed or unconfirmed')
  expect(ledger.confirmed <= link.reachedMessages, 'what is confirmed has reached the broker')
  expect(ledger.received >= life.intake.handedFrames, 'every received frame is counted')
  expect(
    ledger.received <= life.intake.handedMessages + life.intake.handedRemovals,
    'nothing is received that was not sent',
  )
  expect(ledger.dropped.duplicate <= life.intake.repeats, 'only a repeat is a duplicate')
  expect(ledger.subscribers === life.readers, 'subscribers are counted')
  const silentForMs = link.silentForMs
  const isNoticed = silentForMs <= machine.longestMs(MOST_UNNOTICED_MS) || machine.isSlow
  life.check(isNoticed, 'a dead connection is noticed', () => `a barrier is open for ${silentForMs} ms`)
  const { pendingTimers } = machine
  life.check(pendingTimers <= MOST_TIMERS, 'timers are bounded', () => `${pendingTimers} run`)
}

/** Adds the buckets of a ledger up, those of a group as `dropped.stale`: shows what a simulation reached. */
export function addUp(reached: Map<string, number>, ledger: object, group = ''): void {
  for (const [name, value] of Object.entries(ledger)) {
    if (typeof value === 'number') reached.set(group + name, (reached.get(group + name) ?? 0) + value)
    else addUp(reached, value, `${name}.`)
  }
}

/** Checks the sums of every open stream, too. */
export function checkStreams(life: Life): void {
  for (const { stream, name, options, told, iterators, hasListened } of life.streams.values()) {
    const ledger = stream.ledger()
    checkSums(life, ledger)
    const expect = (isKept: boolean, law: string) => life.check(isKept, law, () => shown(ledger))
    // After a thousand events the next ones are told a moment later.
    const isTelling = Stream.stateOf(stream as Stream)?.hub.turns.isWaiting === true
    expect(isTelling || told.lost === sumOf(ledger.lost), 'every loss is told')
    expect(isTelling || told.dropped === sumOf(ledger.dropped), 'every drop is told')
    expect(told.refused === sumOf(ledger.refused) - ledger.refused.aborted, 'every refusal is told')
    const heard = life.intake.heardOn(name)
    // Where a limit or an intruder has frames dropped undecoded, what was in them counts as missed.
    // A hub that closes takes no frames any more, though a stream still waits for the room of what it keeps.
    const isHearing = hasListened && !life.isClosing
    const isJudged = isHearing && options.limit === false && !life.setup.hasIntruders && !heard.isUnsure
    const expectCount = (counted: number, real: number, law: string) =>
      life.check(!isJudged || counted === real, law, () => `${counted}, and truly ${real}, on ${name}`)
    expectCount(ledger.missed, heard.missed, 'every gap is counted')
    expectCount(ledger.missedAway, heard.missedAway, 'what was missed while away is counted')
    if (!isTelling) expectCount(told.missedAway, heard.noticedAway, 'what was missed while away is told')
    let drops = 0
    for (const { dropped } of iterators) drops += dropped
    expect(drops === ledger.iteratorDrops, 'every drop of an iterator is counted')
  }
}

/** Checks that nothing is left over once a hub has closed. */
export function checkClosed(life: Life): void {
  const ledger = life.hub.ledger()
  checkSums(life, ledger)
  const isDone = ledger.waiting === 0 && ledger.inFlight === 0 && ledger.subscribers === 0
  life.check(isDone, 'nothing is left open after close', () => shown(ledger))
}

function checkSums(life: Life, ledger: Ledger): void {
  const { attempts, accepted, refused, conflated, waiting, received, delivered, dropped } = ledger
  const { local, confirmed, inFlight, unconfirmed, lost } = ledger
  const expect = (isKept: boolean, law: string) => life.check(isKept, law, () => shown(ledger))
  expect(attempts === accepted + sumOf(refused) + conflated + waiting, 'every attempt ends in one bucket')
  expect(
    accepted === local + confirmed + inFlight + unconfirmed + sumOf(lost),
    'what is accepted ends in one bucket',
  )
  expect(received === delivered + sumOf(dropped), 'what is received ends in one bucket')
  const numbers = [...numbersOf(ledger), ...numbersOf(refused), ...numbersOf(lost), ...numbersOf(dropped)]
  expect(
    numbers.every((count) => count >= 0),
    'no bucket is below zero',
  )
}

function sumOf(counts: object): number {
  let sum = 0
  for (const count of Object.values(counts)) sum += count
  return sum
}

function numbersOf(counts: object): number[] {
  return Object.values(counts).filter((count) => typeof count === 'number')
}

function shown(ledger: Ledger): string {
  return JSON.stringify(ledger, (_, value) => (value === 0 ? undefined : value))
}
