import { openHub } from 'rivulet'
import { expect, test } from 'vitest'
import { readDocument } from '../support/documentation.ts'
import { SCHEMES, transportTable, withTable } from '../support/transport-table.ts'

test('the README has the table of what open transports claim', async () => {
  const [, table] =
    /<!-- transports -->\n([\s\S]*)\n<!-- \/transports -->/.exec(readDocument('README.md')) ?? []
  expect(table).toBe(await transportTable())
})

test('the table names every scheme that openHub knows, and no other', async () => {
  const refusal = await openHub('ftp://host').catch(({ message }) => message)
  const [, known = ''] = /starts with (.*), not ftp:/.exec(refusal) ?? []
  expect(Object.values(SCHEMES).flat()).toEqual(known.split(' '))
})

test('a table replaces the one between the marks', () => {
  const before = 'a\n<!-- transports -->\n| old |\n<!-- /transports -->\nb'
  expect(withTable(before, '| $& |')).toBe('a\n<!-- transports -->\n| $& |\n<!-- /transports -->\nb')
})
