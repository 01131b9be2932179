import { deepStrictEqual } from 'node:assert'
import { createHub } from 'rivulet'
import * as z from 'zod'
import { HIGH_LIMIT } from '../limit.mjs'
import { timedCase } from '../measure.mjs'
import { jsonBytes, messagesOf, SHAPES, SMALL_BYTES } from '../messages.mjs'
import { HandMadeStream } from '../rivals/hand-made.mjs'

const MAX_BYTES = 65_536
const PAYLOADS = [SMALL_BYTES, 200, 700, 2_000, 4_000]
const SCHEMA = z.object({ x: z.number(), y: z.number(), user: z.string().max(40), t: z.number().int() })

export const suite = {
  title: 'Publish messages of different sizes and shapes',
  reading:
    'Nanoseconds a publish to one subscriber. The last two lines are no publishing at all: they copy the data and do nothing else.',
  chart: { kind: 'bars' },
  plan({ payload, message, isQuick }) {
    if (message !== undefined) return { cases: [caseOf('own message', message)] }
    const sizes = payload ?? (isQuick ? [SMALL_BYTES] : PAYLOADS)
    const bySize = sizes.map((bytes) => caseOf(`${bytes} bytes`, messagesOf(bytes)[0]))
    if (payload) return { cases: bySize }
    const shapes = Object.entries(SHAPES).map(([name, shape]) => caseOf(name, shape))
    const withSchema = caseOf(`${SMALL_BYTES} bytes, with a schema (zod)`, messagesOf(SMALL_BYTES)[0], SCHEMA)
    return { cases: [...bySize, withSchema, ...(isQuick ? shapes.slice(0, 2) : shapes)] }
  },
}

function caseOf(name, message, schema) {
  const parameters = { bytes: jsonBytes(message), schema: schema !== undefined }
  const contenders = [
    rivulet(schema),
    handMade(schema),
    ...(schema === undefined ? [jsonCopy, structuredCopy] : []),
  ]
  return timedCase({
    name,
    parameters,
    unit: 'a publish',
    contenders: contenders.map((make) => make(message)),
  })
}

function rivulet(schema) {
  return (message) => ({
    ...{ name: 'Rivulet publish', group: 'rivulet' },
    open() {
      const hub = createHub()
      const stream = hub.stream('bench', {
        limit: HIGH_LIMIT,
        maxBytes: MAX_BYTES,
        ...(schema && { schema }),
      })
      return publishing(stream, message, () => hub.close())
    },
  })
}

function handMade(schema) {
  return (message) => ({
    ...{ name: 'same contract, hand-made', group: 'contract' },
    open: () => publishing(new HandMadeStream({ maxBytes: MAX_BYTES, schema }), message, () => {}),
  })
}

function publishing(stream, message, close) {
  let received = 0
  let published = 0
  let last
  stream.subscribe((got) => {
    received++
    last = got.data
  })
  return {
    run() {
      published++
      stream.publish(message)
    },
    check() {
      deepStrictEqual(received, published)
      deepStrictEqual(last, message)
    },
    close,
  }
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
