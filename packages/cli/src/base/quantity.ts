import { InvalidArgumentError } from 'commander'

const MS_OF: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const BYTES_OF: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
}
const NUMBER_AND_UNIT = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i

/** The longest timer. */
const MAX_MS = 2 ** 31 - 1

/** Parses the duration of a timer, such as `500ms`, `10s`, `2m`, into milliseconds: at most 2³¹−1. */
export function durationMs(text: string): number {
  const ms = spanMs(text)
  if (ms > MAX_MS) throw new InvalidArgumentError('It is a duration of at most 24.8 days, such as 24d.')
  return ms
}

/** Parses a duration of any length into milliseconds. */
export function spanMs(text: string): number {
  const [, number = '', unit = ''] = NUMBER_AND_UNIT.exec(text) ?? []
  const unitMs = MS_OF[unit.toLowerCase()]
  if (unitMs === undefined) throw new InvalidArgumentError('It is a duration such as 500ms, 10s, 2m or 1h.')
  return Number(number) * unitMs
}

/** Parses a size, such as `100`, `4k`, `1MiB`, into bytes. */
export function sizeBytes(text: string): number {
  const [, number = '', unit = ''] = NUMBER_AND_UNIT.exec(text) ?? []
  const unitBytes = BYTES_OF[unit.toLowerCase() || 'b']
  const bytes = Number(number) * (unitBytes ?? Number.NaN)
  if (number !== '' && Number.isSafeInteger(bytes)) return bytes
  throw new InvalidArgumentError('It is a size in bytes such as 100, 4k or 1MiB.')
}

/** Parses a count: a whole number from 1. */
export function countFrom1(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0
  if (count >= 1 && Number.isSafeInteger(count)) return count
  throw new InvalidArgumentError('It is a whole number from 1.')
}

/** Parses a rate, such as `50`, `50/s` or `30/m`, into a number per second. */
export function ratePerSecond(text: string): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)(?:\/(s|m|h))?$/i.exec(text) ?? []
  const rate = Number(number) / ((MS_OF[unit.toLowerCase()] as number) / 1000)
  if (number !== '' && rate > 0) return rate
  throw new InvalidArgumentError('It is a number a second, or such as 30/m.')
}
