import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readRecord, writeRecord } from '../src/index.ts'
import { recordOf } from './support/recording-file.ts'

test('a record is canonical: equal records are equal lines in any order of their keys', () => {
  const one = recordOf(['positions', { truck: 7, at: { lon: 4.3, lat: 52.1 } }])
  const { stream, sid, receivedAt } = one
  const other = { receivedAt, data: { at: { lat: 52.1, lon: 4.3 }, truck: 7 }, sid, stream }
  expect(writeRecord(one)).toBe(
    `{"data":{"at":{"lat":52.1,"lon":4.3},"truck":7},"receivedAt":"${receivedAt}","sid":"${sid}","stream":"positions"}`,
  )
  expect(writeRecord(other)).toBe(writeRecord(one))
})

test('a written record is read again, on one line', () => {
  fc.assert(
    fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (stream, data) => {
      const record = recordOf([stream, JSON.parse(JSON.stringify(data))])
      const line = writeRecord(record)
      expect(line).not.toContain('\n')
      expect(writeRecord(readRecord(line))).toBe(line)
    }),
  )
})

test.each([
  ['{"stream":', 'not JSON'],
  ['null', 'has no stream'],
  ['[]', 'has no stream'],
  ['{"stream":"a","data":{},"receivedAt":"2026-01-31T12:00:00.000Z"}', 'has no sid'],
  ['{"stream":"a","sid":"x","data":{}}', 'has no receivedAt'],
  ['{"stream":"a","sid":"x","data":{},"receivedAt":"noon"}', 'receivedAt is not a date'],
  ['{"stream":"a","sid":"x","data":[],"receivedAt":"2026-01-31T12:00:00.000Z"}', 'data is not an object'],
  ['{"stream":"a","sid":"x","data":null,"receivedAt":"2026-01-31T12:00:00.000Z"}', 'data is not an object'],
  ['{"stream":"a","sid":"x","receivedAt":"2026-01-31T12:00:00.000Z"}', 'data is not an object'],
])('a line that is no record throws the reason: %s', (line, reason) => {
  expect(() => readRecord(line)).toThrow(reason)
})
