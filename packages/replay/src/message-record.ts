import stringify from 'fast-json-stable-stringify'

/** One message of a recording: a line of NDJSON. */
export interface MessageRecord {
  /** The name of the stream. */
  readonly stream: string
  /** The message's sid, assigned by its publisher. */
  readonly sid: string
  /** The published data. */
  readonly data: unknown
  /** The time of its arrival at the recorder: ISO 8601, UTC, milliseconds. */
  readonly receivedAt: string
}

const FIELDS = ['stream', 'sid', 'receivedAt'] as const

/** Writes a record as canonical JSON without a line end: keys are sorted, so equal records are equal lines. */
export function writeRecord({ stream, sid, data, receivedAt }: MessageRecord): string {
  return stringify({ stream, sid, data, receivedAt })
}

/** Reads a line of `writeRecord`, ignoring further members. Throws an `Error` with the reason. */
export function readRecord(line: string): MessageRecord {
  let record: Partial<MessageRecord> | null
  try {
    record = JSON.parse(line)
  } catch {
    throw new Error('The line is not JSON.')
  }
  const wrong = FIELDS.find((field) => typeof record?.[field] !== 'string')
  if (wrong !== undefined) throw new Error(`The line has no ${wrong}.`)
  if (Number.isNaN(Date.parse(record?.receivedAt as string))) throw new Error('receivedAt is not a date.')
  const { data } = record as MessageRecord
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new Error("The line's data is not an object.")
  }
  const { stream, sid, receivedAt } = record as MessageRecord
  return { stream, sid, data, receivedAt }
}
