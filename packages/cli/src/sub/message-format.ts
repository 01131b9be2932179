import { type MessageRecord, writeRecord } from '@rivulet/replay'
import { CommandError } from '../base/exit-code.ts'
import type { Output } from '../base/output.ts'
import { partsOf } from '../base/placeholders.ts'
import { printable } from '../base/printable.ts'

/** Formats a message as one line. */
export type MessageFormat = (record: MessageRecord) => string

/** Options of the format. */
export interface FormatOptions {
  /** Whether to print only the data. */
  readonly raw?: true
  /** A text with placeholders. */
  readonly format?: string
}

/** Picks the format: by the options, else for people on a terminal, else one record of NDJSON for each message. */
export function formatOf({ raw, format }: FormatOptions, output: Output): MessageFormat {
  if (raw === true && format !== undefined) throw new CommandError('Give --raw or --format, not both.')
  if (format !== undefined) return formatted(format)
  if (raw !== true && output.isTerminal && !output.isJson) return forPeople(output)
  const write: MessageFormat = raw === true ? ({ data }) => JSON.stringify(data) : writeRecord
  // In JSON only strings contain such characters, and an escape means the same string.
  return output.isTerminal ? (record) => printable(write(record)) : write
}

function forPeople(output: Output): MessageFormat {
  return ({ stream, data, receivedAt }) => {
    const time = output.styled(
      'dim',
      new Date(receivedAt).toTimeString().slice(0, 8) + receivedAt.slice(19, 23),
    )
    return `${time} ${output.styled('cyan', printable(stream))} ${printable(JSON.stringify(data))}`
  }
}

const FIELDS = ['stream', 'sid', 'receivedAt', 'data'] as const

function formatted(format: string): MessageFormat {
  const parts = partsOf(format, pathOf)
  return (record) =>
    parts.map((part) => (typeof part === 'string' ? part : textOf(valueAt(record, part)))).join('')
}

function pathOf(placeholder: string): readonly string[] {
  const path = placeholder.trim().split('.')
  const [field = '', ...rest] = path
  const isKnown = (FIELDS as readonly string[]).includes(field) && (field === 'data' || rest.length === 0)
  if (isKnown) return path
  throw new CommandError(
    `There is no {{${placeholder}}}; there are {{stream}}, {{sid}}, {{receivedAt}}, {{data}}, and {{data.a.b}} for what is inside.`,
  )
}

function valueAt(record: MessageRecord, path: readonly string[]): unknown {
  let value: unknown = record
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

function textOf(value: unknown): string {
  if (value === undefined) return ''
  return printable(typeof value === 'string' ? value : JSON.stringify(value))
}
