import { strictEqual } from 'node:assert'
import { EventEmitter } from 'node:events'
import Emittery from 'emittery'
import EventEmitter3 from 'eventemitter3'
import mitt from 'mitt'
import { createNanoEvents } from 'nanoevents'
import { createHub } from 'rivulet'
import { Subject } from 'rxjs'
import { timedCase } from '../measure.mjs'

const COUNTS = [1_000, 20_000]
const MILLION = 1_000_000
// From here on some rivals need seconds for a call.
const SLOW_COUNT = 20_000

export const suite = {
  title: 'Subscribe N and then unsubscribe them, first come, first gone',
  reading:
    'Nanoseconds for one subscriber to come and go while N are there. A line that rises with N is quadratic in all. What would take minutes at a million is left out there.',
  chart: { kind: 'bars' },
  plan({ isQuick }) {
    const counts = isQuick ? [1_000] : COUNTS
    const cases = counts.map((count) => caseOf(count, [rivulet, subject, ...others]))
    return { cases: isQuick ? cases : [...cases, caseOf(MILLION, [rivulet, set])] }
  },
}

function caseOf(count, makers) {
  const contenders = makers.map((make) => contender(make, count))
  const name = `${count.toLocaleString('en')} subscribers`
  return timedCase({
    name,
    parameters: { subscribers: count },
    unit: 'a subscriber',
    contenders,
    isSlow: count >= SLOW_COUNT,
  })
}

/** `subscribe` returns how to leave. */
function contender({ name, group, open }, count) {
  return {
    ...{ name, group },
    async open() {
      const { subscribe, publish } = open()
      const calls = { total: 0 }
      const listeners = Array.from({ length: count }, () => () => {
        calls.total++
      })
      const come = () => listeners.map((listener) => subscribe(listener))
      const go = (leaving) => {
        for (const leave of leaving) leave()
      }
      const check = async () => {
        calls.total = 0
        const leaving = come()
        await publish()
        strictEqual(calls.total, count, `${name}: all who came are called`)
        go(leaving)
        await publish()
        strictEqual(calls.total, count, `${name}: none who left is called`)
      }
      await check()
      return { run: () => go(come()), operations: count, check, close() {} }
    },
  }
}

const rivulet = {
  ...{ name: 'Rivulet', group: 'rivulet' },
  open() {
    const stream = createHub().stream('bench', { limit: false })
    return {
      subscribe(listener) {
        const subscription = stream.subscribe(listener)
        return () => subscription.unsubscribe()
      },
      publish: () => stream.publish({}),
    }
  },
}

const subject = {
  ...{ name: 'RxJS Subject', group: 'bare' },
  open() {
    const stream = new Subject()
    return {
      subscribe(listener) {
        const subscription = stream.subscribe(listener)
        return () => subscription.unsubscribe()
      },
      publish: () => stream.next({}),
    }
  },
}

/** The least: a Set of functions. */
const set = {
  ...{ name: 'Set of functions', group: 'floor' },
  open() {
    const listeners = new Set()
    return {
      subscribe(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      publish() {
        for (const listener of listeners) listener({})
      },
    }
  },
}

const others = [
  onOff('EventEmitter3', () => new EventEmitter3()),
  onOff('Node EventEmitter', () => new EventEmitter().setMaxListeners(0)),
  onOff('mitt', () => mitt()),
  {
    ...{ name: 'nanoevents', group: 'bare' },
    open() {
      const emitter = createNanoEvents()
      return {
        subscribe: (listener) => emitter.on('bench', listener),
        publish: () => emitter.emit('bench', {}),
      }
    },
  },
  {
    ...{ name: 'emittery', group: 'bare' },
    open() {
      const emitter = new Emittery()
      return {
        subscribe: (listener) => emitter.on('bench', listener),
        publish: () => emitter.emit('bench', {}),
      }
    },
  },
  set,
]

function onOff(name, make) {
  return {
    ...{ name, group: 'bare' },
    open() {
      const emitter = make()
      return {
        subscribe(listener) {
          emitter.on('bench', listener)
          return () => emitter.off('bench', listener)
        },
        publish: () => emitter.emit('bench', {}),
      }
    },
  }
}
