import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { bundleProgram } from '../../../test/support/bundle-program.ts'
import { writeRecord } from '../src/index.ts'
import { recordingFile, recordOf, type Spoken } from './support/recording-file.ts'

const SOURCE = ['--conditions=@rivulet/source', '--import', 'tsx']
const program = bundleProgram(join(import.meta.dirname, 'support/player.ts'))

test('the bench runs', async () => {
  const bench = join(import.meta.dirname, '../bench/replay.mjs')
  const { stdout } = await execa('node', [...SOURCE, bench, '2000', '0.2'])
  expect(stdout).toMatch(/2000 messages at speed max, \d+ a second/)
  expect(stdout).toMatch(/late by ms: p50 [\d.]+, p99 [\d.]+, most [\d.]+; earliest -?[\d.]+/)
})

test('a pass keeps the process alive to its end, and no longer', async () => {
  const file = recordingFile(Array.from({ length: 5 }, (_, n): Spoken => ['a', { n }, n * 40]))
  const { stdout, exitCode } = await execa('node', [program, file, '1'])
  expect({ stdout, exitCode }).toEqual({ stdout: '5', exitCode: 0 })
})

test('a recording that is larger than the heap is played', async () => {
  const file = recordingFile([])
  const output = createWriteStream(file)
  const padding = 'x'.repeat(1000)
  const count = 100_000
  for (let n = 0; n < count; n++) {
    if (!output.write(`${writeRecord(recordOf([`s${n % 3}`, { n, padding }], n))}\n`))
      await once(output, 'drain')
  }
  output.end()
  await once(output, 'close')
  // More than 100 MB of text.
  const { stdout } = await execa('node', ['--max-old-space-size=40', program, file, 'max'])
  expect(stdout).toBe(String(count))
})
