import { randomInt, randomUUID } from 'node:crypto'
import { CommandError } from '../base/exit-code.ts'
import { partsOf } from '../base/placeholders.ts'

/** Makes the text of the n-th message, from 1. */
export type Template = (n: number) => string

const KNOWN = '{{n}}, {{now}}, {{uuid}} and {{random a b}}'
/** Decimals of a random number with decimal bounds. */
const DECIMALS = 6

/**
 * Parses a text with placeholders: `{{n}}` is the message's number, `{{now}}` milliseconds since 1970, `{{uuid}}` a
 * random UUID, `{{random a b}}` a number from a to b: a whole one, unless a or b has a decimal point.
 */
export function templateOf(text: string): Template {
  const parts = partsOf(text, partOf)
  return (n) => parts.map((part) => (typeof part === 'string' ? part : part(n))).join('')
}

function partOf(placeholder: string): Template {
  const [name, ...args] = placeholder.trim().split(/\s+/)
  if (name === 'random') return randomOf(args)
  if (args.length === 0) {
    if (name === 'n') return String
    if (name === 'now') return () => String(Date.now())
    if (name === 'uuid') return () => randomUUID()
  }
  throw new CommandError(
    `There is no {{${placeholder}}}; there are ${KNOWN}. What comes from standard input is sent as it is.`,
  )
}

function randomOf(args: readonly string[]): Template {
  const [from = Number.NaN, to = Number.NaN] = args.map(Number)
  if (args.length !== 2 || !(from <= to)) {
    throw new CommandError('{{random a b}} has two numbers, the smaller one first.')
  }
  if (args.some((bound) => bound.includes('.'))) {
    return () => (from + Math.random() * (to - from)).toFixed(DECIMALS)
  }
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || to - from >= 2 ** 48 - 1) {
    throw new CommandError('The numbers of {{random a b}} are less than 2⁴⁸ apart.')
  }
  return () => String(randomInt(from, to + 1))
}
