import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'

const FOLDER = join(import.meta.dirname, '../bench')

/** Runs a bench from the source for a moment: it must find its own results right. */
async function run(name: string, ...args: number[]): Promise<string> {
  const options = ['--conditions=@rivulet/source', '--import', 'tsx', join(FOLDER, name)]
  const { stdout } = await execa('node', [...options, ...args.map(String)])
  return stdout
}

test('the bench of publishing runs', async () => {
  const output = await run('publish.mjs', 0.1, 1)
  expect(output).toMatch(/an empty handler +\d+ requests\/s/)
  expect(output).toMatch(/publish, refused by the rate +\d+ requests\/s/)
})

test('the bench of listeners runs', async () => {
  const output = await run('listeners.mjs', 1, 20, 20)
  expect(output).toMatch(/20 listeners/)
  expect(output).toMatch(/20 listeners .*after a restart/)
})

test('the bench of client SDKs runs', async () => {
  const output = await run('twilsock.mjs', 1, 20)
  expect(output).toMatch(/20 connections, .* 200 of 200 received, 0 lost, 0 twice, 0 dropped/)
})

test('the bench of pages runs', async () => {
  const output = await run('pages.mjs', 1, 20)
  expect(output).toMatch(/20 pages, .* 0 lost, 0 twice, 0 dropped, 0 refused/)
})
