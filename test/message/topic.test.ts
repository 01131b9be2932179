import { describe, expect, test } from 'vitest'
import { readTopic, streamNameOf, topicOf } from '../../src/message/topic.ts'

describe('a topic', () => {
  test.each([
    ['a.b', 'rivulet/default/a%2Eb'],
    ["!~*'()", 'rivulet/default/%21%7E%2A%27%28%29'],
    ['a/b c', 'rivulet/default/a%2Fb%20c'],
    ['é', 'rivulet/default/%C3%A9'],
  ])('of %j is %s', (name, topic) => {
    expect(topicOf('default', name)).toBe(topic)
    expect(streamNameOf(topicOf('default', name))).toBe(name)
  })

  // RELIABILITY 53
  test('is another one for é in two forms, for capitals, and for what looks encoded', () => {
    expect(topicOf('h', 'é')).not.toBe(topicOf('h', 'e\u0301'))
    expect(topicOf('h', 'a')).not.toBe(topicOf('h', 'A'))
    expect(topicOf('h', '%2E')).not.toBe(topicOf('h', '.'))
  })

  // RELIABILITY 47, 48
  test('of the longest names stays below 3 kB', () => {
    for (const unit of ['€', '😀', '.', '\u0001']) {
      expect(topicOf('h'.repeat(64), unit.repeat(320 / unit.length)).length).toBeLessThan(3000)
    }
  })

  test.each([
    'rivulet/default/',
    'rivulet//a',
    'rivulet/default/a/b',
    'rivulet/default/a.b',
    'rivulet/default/%2f',
    'rivulet/default/%41',
    'rivulet/default/%E9',
    'rivulet/default/%ED%A0%80',
    'rivulet/de.fault/a',
    `rivulet/${'h'.repeat(65)}/a`,
    `rivulet/default/${'a'.repeat(321)}`,
    `rivulet/default/TZ${'0'.repeat(32)}`,
    'nats/default/a',
    'rivulet/default/a\n',
    '',
  ])('is not read from %j', (text) => {
    expect(readTopic(text)).toBeUndefined()
  })
})
