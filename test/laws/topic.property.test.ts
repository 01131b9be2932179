import assert from 'node:assert'
import fc from 'fast-check'
import { createHub } from 'rivulet'
import { describe, test } from 'vitest'
import { hubNameOf, readTopic, streamNameOf, topicOf } from '../../src/message/topic.ts'

const RUNS = { numRuns: 2000 }
const SID_FORM = /^[A-Z]{2}[a-f0-9]{32}$/
const names = fc
  .oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
    fc
      .array(
        fc.constantFrom(
          '.',
          '*',
          '>',
          '+',
          '#',
          '$',
          '/',
          '%',
          ' ',
          '\0',
          '\n',
          '!',
          '~',
          "'",
          '(',
          ')',
          'é',
          '😀',
          'a',
          '2E',
        ),
      )
      .map((parts) => parts.join(''))
      .filter((name) => name.length > 0),
    fc.constantFrom(
      '__proto__',
      'constructor',
      '%2E',
      '.',
      '..',
      '$SYS',
      '_INBOX',
      'resubscribe',
      '\uffff',
      '\u0001',
    ),
  )
  .filter((name) => !SID_FORM.test(name))
const hubNames = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/)

describe('a topic', () => {
  // RELIABILITY 45, 46, 49, 50
  test('has rivulet, two slashes, [A-Za-z0-9_-] and upper-case %XX only, for any name', () => {
    fc.assert(
      fc.property(hubNames, names, (hub, name) => {
        const topic: string = topicOf(hub, name)
        assert.match(topic, /^rivulet\/[A-Za-z0-9_-]+\/(?:[A-Za-z0-9_-]|%[0-9A-F]{2})+$/)
        assert.doesNotMatch(topic, /[.*>+#$\p{Cc}\s]/u)
      }),
      RUNS,
    )
  })

  test('gives the names back, and is read from its own text', () => {
    fc.assert(
      fc.property(hubNames, names, (hub, name) => {
        assert.strictEqual(hubNameOf(topicOf(hub, name)), hub)
        assert.strictEqual(readTopic(topicOf(hub, name)), topicOf(hub, name))
        assert.strictEqual(streamNameOf(topicOf(hub, name)), name)
        assert.strictEqual(decodeURIComponent(topicOf(hub, name)), `rivulet/${hub}/${name}`)
      }),
      RUNS,
    )
  })

  test('is read from no text but its own', () => {
    fc.assert(
      fc.property(hubNames, fc.string({ unit: fc.constantFrom(...'a%2fF/.é') }), (hub, rest) => {
        const topic = readTopic(`rivulet/${hub}/${rest}`)
        if (topic !== undefined) assert.strictEqual(topicOf(hub, streamNameOf(topic)), topic)
      }),
      RUNS,
    )
  })

  test('is shared by no two pairs of names', () => {
    const pair = fc.tuple(hubNames, names)
    fc.assert(
      fc.property(pair, pair, ([hubA, a], [hubB, b]) => {
        assert.strictEqual(topicOf(hubA, a) === topicOf(hubB, b), hubA === hubB && a === b)
      }),
      RUNS,
    )
  })

  test('is made of every well-formed name that a stream may have', () => {
    const hub = createHub()
    fc.assert(
      fc.property(names, (name) => {
        assert.strictEqual(hub.stream(name).name, name)
      }),
      RUNS,
    )
  })
})
