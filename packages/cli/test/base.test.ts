import { readRecord, writeRecord } from '@rivulet/cli'
import { describe, expect, test } from 'vitest'
import { printable } from '../src/base/printable.ts'
import { countFrom1, durationMs, ratePerSecond, sizeBytes, spanMs } from '../src/base/quantity.ts'
import { momentOf } from '../src/recording/moment.ts'

const RECORD = {
  stream: 'a',
  sid: 'x',
  data: { b: 1, a: [{ d: 2, c: 'ü' }] },
  receivedAt: '2026-01-31T12:00:00.000Z',
}

describe('a record', () => {
  test('is the same line for the same content, in whatever order it was made', () => {
    const line =
      '{"data":{"a":[{"c":"ü","d":2}],"b":1},"receivedAt":"2026-01-31T12:00:00.000Z","sid":"x","stream":"a"}'
    expect(writeRecord(RECORD)).toBe(line)
    const { receivedAt, data, sid, stream } = RECORD
    expect(writeRecord({ receivedAt, data: { a: data.a, b: data.b }, sid, stream })).toBe(line)
    expect(readRecord(line)).toEqual(RECORD)
  })

  test('leaves out foreign members', () => {
    const more = { ...RECORD, isLocal: true }
    expect(writeRecord(more)).toBe(writeRecord(RECORD))
    expect(readRecord(JSON.stringify(more))).toEqual(RECORD)
  })

  test.each([
    ['{"data":', 'The line is not JSON.'],
    ['null', 'The line has no stream.'],
    [JSON.stringify({ ...RECORD, sid: 5 }), 'The line has no sid.'],
    [JSON.stringify({ ...RECORD, receivedAt: 'today' }), 'receivedAt is not a date.'],
    [JSON.stringify({ ...RECORD, data: [1] }), "The line's data is not an object."],
  ])('is not read from %s', (line, sentence) => {
    expect(() => readRecord(line)).toThrow(sentence)
  })
})

describe('a text of others', () => {
  test.each([
    ['plain ü 漢 \u{1F30A} e\u0301', 'plain ü 漢 \u{1F30A} e\u0301'],
    ['\u001B[2J\u009B\r\n\u007F', '\\u001b[2J\\u009b\\u000d\\u000a\\u007f'],
    ['\u202Eabc\u2066\u200F', '\\u202eabc\\u2066\\u200f'],
    ['a\u2028b\u2029c', 'a\\u2028b\\u2029c'],
    ['pay\u200Bpal\uFEFF', 'pay\\u200bpal\\ufeff'],
    ['\u{E0041}', '\\udb40\\udc41'],
    [`z${'\u0301'.repeat(5)}`, `z${'\u0301'.repeat(3)}\\u0301\\u0301`],
  ])('%j is shown as %j', (text, shown) => {
    expect(printable(text)).toBe(shown)
    expect(JSON.parse(`"${shown}"`)).toBe(text)
  })
})

describe('a quantity of the command line', () => {
  test.each<[(text: string) => number, string, number]>([
    [durationMs, '500ms', 500],
    [durationMs, '10s', 10_000],
    [durationMs, '1.5m', 90_000],
    [durationMs, '2h', 7_200_000],
    [durationMs, '1d', 86_400_000],
    [durationMs, '2147483647ms', 2_147_483_647],
    [spanMs, '30d', 2_592_000_000],
    [(text) => Number(momentOf(text)), '40d', 3_456_000_000],
    [(text) => Number(momentOf(text)), '2024-02-29T23:30:00-02:00', Date.UTC(2024, 2, 1, 1, 30)],
    [sizeBytes, '100', 100],
    [sizeBytes, '4k', 4096],
    [sizeBytes, '64KiB', 65_536],
    [sizeBytes, '1.5MB', 1_500_000],
    [countFrom1, '12', 12],
    [ratePerSecond, '50', 50],
    [ratePerSecond, '50/s', 50],
    [ratePerSecond, '30/m', 0.5],
  ])('%o reads %s as %d', (read, text, value) => {
    expect(read(text)).toBe(value)
  })

  test.each<[(text: string) => number, string]>([
    ...['', '10', '-1s', '1 week', 'NaNs', '1e3s', '30d', '2147483648ms', `${'9'.repeat(400)}s`].map(
      (text): [typeof durationMs, string] => [durationMs, text],
    ),
    ...['', '-1', '4q', '0.3', '1e400'].map((text): [typeof sizeBytes, string] => [sizeBytes, text]),
    ...['', '0', '1.5', '-1', '99999999999999999999'].map((text): [typeof countFrom1, string] => [
      countFrom1,
      text,
    ]),
    ...['', '0', '-5', '5/w', 'Infinity'].map((text): [typeof ratePerSecond, string] => [
      ratePerSecond,
      text,
    ]),
  ])('%o does not read "%s"', (read, text) => {
    expect(() => read(text)).toThrow(/^It is a/)
  })
})
