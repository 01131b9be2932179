import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { onTestFinished } from 'vitest'
import { type MessageRecord, writeRecord } from '../../src/index.ts'

/** The time of the first record in the recordings of the tests. */
export const BEGINNING = Date.parse('2026-01-31T12:00:00.000Z')

/** A message of a recording: its stream, its data, and its time of arrival. */
export type Spoken = readonly [stream: string, data: unknown, afterMs?: number]

/** Makes the record of the n-th message. */
export function recordOf([stream, data, afterMs = 0]: Spoken, n = 1): MessageRecord {
  const sid = `TZ${n.toString(16).padStart(32, '0')}`
  return { stream, sid, data, receivedAt: new Date(BEGINNING + afterMs).toISOString() }
}

/** Writes a recording to a file that is removed when the test ends. Strings are written as lines unchanged. */
export function recordingFile(lines: readonly (Spoken | string)[], name = 'recording.ndjson'): string {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-replay-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, name)
  const texts = lines.map((line, index) =>
    typeof line === 'string' ? line : writeRecord(recordOf(line, index + 1)),
  )
  const text = texts.map((line) => `${line}\n`).join('')
  writeFileSync(file, name.endsWith('.gz') ? gzipSync(text) : text)
  return file
}
