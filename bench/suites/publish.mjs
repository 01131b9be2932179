import { deepStrictEqual } from 'node:assert'
import { tracingChannel } from 'node:diagnostics_channel'
import * as z from 'zod'
import { HIGH_LIMIT, maxBytesFor } from '../limit.mjs'
import { timedCase } from '../measure.mjs'
import { jsonBytes, messagesOf, SHAPES, SMALL_BYTES } from '../messages.mjs'
import { handMade } from '../rivals/hand-made.mjs'
import { rivulet } from '../rivals/rivulet.mjs'

const PAYLOADS = [SMALL_BYTES, 200, 700, 2_000, 4_000]
const SCHEMA = z.object({ x: z.number(), y: z.number(), user: z.string().max(40), t: z.number().int() })
const MANY = 10_000
const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

export const suite = {
  title: 'Publish messages of different sizes and shapes',
  reading:
    'Nanoseconds a publish to one subscriber. The last two lines are no publishing at all: they copy the data and do nothing else.',
  plan({ payload, message, isQuick }) {
    if (message !== undefined) return { cases: [caseOf('own message', message)] }
    const sizes = payload ?? (isQuick ? [SMALL_BYTES] : PAYLOADS)
    const bySize = sizes.map((bytes) => caseOf(`${bytes} bytes`, messagesOf(bytes)[0]))
    if (payload) return { cases: bySize }
    const shapes = Object.entries(SHAPES).map(([name, shape]) => caseOf(name, shape))
    const withSchema = caseOf(`${SMALL_BYTES} bytes, with a schema (zod)`, messagesOf(SMALL_BYTES)[0], SCHEMA)
    return { cases: [...bySize, withSchema, traced(), ...(isQuick ? shapes.slice(0, 2) : shapes)] }
  },
}

function caseOf(name, message, schema) {
  const publishers = [rivulet, handMade].map((rival) => publishing(rival, message, schema))
  return timedCase({
    ...{ name, parameters: { bytes: jsonBytes(message), schema: schema !== undefined }, unit: 'a publish' },
    contenders:
      schema === undefined ? [...publishers, jsonCopy(message), structuredCopy(message)] : publishers,
  })
}

function publishing({ name, group, open: openHub, subscribe, publish }, message, schema) {
  return {
    ...{ name, group },
    open() {
      const maxBytes = maxBytesFor(jsonBytes(message))
      const hub = openHub({ limit: HIGH_LIMIT, maxBytes, ...(schema && { schema }) })
      const stream = hub.stream('bench')
      let received = 0
      let published = 0
      let last
      subscribe(stream, (got) => {
        received++
        last = got.data
      })
      return {
        run() {
          published++
          publish(stream, message)
        },
        check() {
          deepStrictEqual(received, published)
          deepStrictEqual(last, message)
        },
        close: () => hub.close(),
      }
    },
  }
}

/** Measures tracing. Its channels are global, so each call listens, publishes many times, and stops. */
function traced() {
  const message = messagesOf(SMALL_BYTES)[0]
  const listen = (name, start) => {
    const channel = tracingChannel(name).start
    return [() => channel.subscribe(start), () => channel.unsubscribe(start)]
  }
  const heard = [listen('rivulet.publish', () => {}), listen('rivulet.process', () => {})]
  const named = [
    listen('rivulet.publish', (event) => {
      event.traceparent = TRACEPARENT
    }),
    listen('rivulet.process', () => {}),
  ]
  const many = ({ name, group }, channels) => ({
    ...{ name, group },
    open() {
      const { run, ...rest } = publishing(rivulet, message).open()
      return {
        operations: MANY,
        run() {
          for (const [begin] of channels) begin()
          for (let count = 0; count < MANY; count++) run()
          for (const [, end] of channels) end()
        },
        ...rest,
      }
    },
  })
  return timedCase({
    ...{ name: `${SMALL_BYTES} bytes, traced`, parameters: { bytes: jsonBytes(message) }, unit: 'a publish' },
    contenders: [
      many({ name: 'Rivulet', group: 'rivulet' }, []),
      many({ name: 'Rivulet, publish and process traced', group: 'contract' }, heard),
      many({ name: 'Rivulet, traced and each given a trace', group: 'contract' }, named),
    ],
  })
}

const jsonCopy = (message) =>
  copying('JSON.parse(JSON.stringify(…)) alone', message, () => JSON.parse(JSON.stringify(message)))
const structuredCopy = (message) =>
  copying('structuredClone(…) alone', message, () => structuredClone(message))

function copying(name, message, copy) {
  let last
  return {
    ...{ name, group: 'floor' },
    open: () => ({
      run() {
        last = copy()
      },
      check: () => deepStrictEqual(last, message),
      close() {},
    }),
  }
}
