import { strictEqual } from 'node:assert'
import { timedCase } from '../measure.mjs'
import { emittery } from '../rivals/buses.mjs'
import {
  eventEmitter3,
  mittEmitter,
  nanoEvents,
  nodeEventEmitter,
  setOfFunctions,
  subject,
} from '../rivals/emitters.mjs'
import { rivulet } from '../rivals/rivulet.mjs'

const EMITTERS = [subject, eventEmitter3, nodeEventEmitter, mittEmitter, nanoEvents, emittery]
const COUNTS = [1_000, 20_000]
const MILLION = 1_000_000
// From this count on some rivals need seconds for a call.
const SLOW_COUNT = 20_000

export const suite = {
  title: 'Subscribe N and then unsubscribe them, first come, first gone',
  reading:
    'Nanoseconds for one subscriber to come and go while N are there. A line that rises with N is quadratic in all. What would take minutes at a million is left out there.',
  plan({ isQuick }) {
    const counts = isQuick ? [1_000] : COUNTS
    const cases = counts.map((count) => caseOf(count, [rivulet, ...EMITTERS, setOfFunctions]))
    return { cases: isQuick ? cases : [...cases, caseOf(MILLION, [rivulet, setOfFunctions])] }
  },
}

function caseOf(count, rivals) {
  const contenders = rivals.map((rival) => contender(rival, count))
  const name = `${count.toLocaleString('en')} come and go`
  return timedCase({
    name,
    parameters: { subscribers: count },
    unit: 'a subscriber',
    contenders,
    isSlow: count >= SLOW_COUNT,
  })
}

function contender({ name, group, open, subscribe, leave, publish }, count) {
  return {
    ...{ name, group },
    async open() {
      const hub = open()
      const stream = hub.stream('bench')
      const calls = { total: 0 }
      const listeners = Array.from({ length: count }, () => () => {
        calls.total++
      })
      const come = () => listeners.map((listener) => subscribe(stream, listener))
      const go = (kept) => {
        for (let index = 0; index < count; index++) leave(stream, listeners[index], kept[index])
      }
      const check = async () => {
        calls.total = 0
        const kept = come()
        await publish(stream, {})
        strictEqual(calls.total, count, `${name}: all newcomers are called`)
        go(kept)
        await publish(stream, {})
        strictEqual(calls.total, count, `${name}: no leaver is called`)
      }
      await check()
      return { run: () => go(come()), operations: count, check, close: () => hub.close() }
    },
  }
}
