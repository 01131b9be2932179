import { InvalidArgumentError } from 'commander'
import { spanMs } from '../base/quantity.ts'

const DATE = /^\d{4}-\d\d-\d\d/

/** Parses a time of a recording: a duration from its first message, such as `90s`, or an ISO date. */
export function momentOf(text: string): number | Date {
  if (!DATE.test(text)) return spanMs(text)
  const date = new Date(text)
  if (!Number.isNaN(date.getTime()) && isInCalendar(text.slice(0, 10))) return date
  throw new InvalidArgumentError('It is a duration such as 90s, or a date such as 2026-01-31T12:00:00Z.')
}

/** Returns whether a day exists; `Date` would read a day past the end of a month as one of the next month. */
function isInCalendar(day: string): boolean {
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)
}

/** Parses a speed: a number from 0.001 to 1000, or `max`. */
export function speedOf(text: string): number | 'max' {
  if (text === 'max') return text
  const speed = /^\d*\.?\d+$/.test(text) ? Number(text) : 0
  if (speed >= 0.001 && speed <= 1000) return speed
  throw new InvalidArgumentError('It is a number from 0.001 to 1000, or max.')
}

/** Adds `before=after` to new names of streams. */
export function renamedBy(
  text: string,
  names: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const [before = '', after = ''] = text.split(/=(.*)/s)
  if (before === '' || after === '')
    throw new InvalidArgumentError('It is the old name and the new one: a=b.')
  // A name may be `__proto__`.
  return Object.fromEntries([...Object.entries(names), [before, after]])
}
