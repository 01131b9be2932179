import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type MessageRecord, readRecord, writeRecord } from '../../src/index.ts'
import { temporaryFolder } from './temporary-folder.ts'

const BEGINNING = Date.parse('2026-01-31T12:00:00.000Z')

/** Writes a recording of `count` messages, `stepMs` apart, on streams `s0` to `s<streams - 1>` in turns. */
export function recordingOf(count: number, { streams = 2, stepMs = 1 } = {}): string {
  const lines = Array.from({ length: count }, (_, index) =>
    writeRecord({
      stream: `s${index % streams}`,
      sid: `TZ${index.toString(16).padStart(32, '0')}`,
      data: { n: index + 1 },
      receivedAt: new Date(BEGINNING + index * stepMs).toISOString(),
    }),
  )
  return fileOf(lines)
}

/** Writes lines to a file that is removed when the test ends. */
export function fileOf(lines: readonly string[]): string {
  const file = join(temporaryFolder(), 'recording.ndjson')
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return file
}

/** Reads the records of a file. Throws when a line is no record, or the last one is incomplete. */
export function recordsIn(file: string): MessageRecord[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  if (lines.pop() !== '') throw new Error('The last line is not whole.')
  return lines.map(readRecord)
}

/** Returns the part that is the same in every replay: streams and data, in order. */
export function saidIn(file: string): (readonly [stream: string, data: unknown])[] {
  return recordsIn(file).map(({ stream, data }) => [stream, data] as const)
}
