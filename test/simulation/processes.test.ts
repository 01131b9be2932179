import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { huntBug } from './bug-hunt.ts'
import { BUGS, plant } from './bugs.ts'
import { drawPlan } from './plan.ts'
import { simulate } from './simulation.ts'

const ROOT = join(import.meta.dirname, '../..')
const COMMAND = ['--import', 'tsx', '--conditions=@rivulet/source', 'test/simulation/command.ts']
// Each is found with one of the first seeds.
const EASY = [
  'a value that replaces a kept one is no attempt',
  'a listener that has left is called until the places close up',
  'what is published while offline waits for the connection',
]

function command(...options: string[]) {
  return execa(process.execPath, [...COMMAND, ...options], { cwd: ROOT, reject: false })
}

describe('the deliberate bugs', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rivulet-bug-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('are twelve or more', () => {
    expect(new Set(BUGS.map(({ name }) => name)).size).toBe(BUGS.length)
    expect(BUGS.length).toBeGreaterThanOrEqual(12)
  })

  test.each(BUGS)('fit into the core as it is: $name', (bug) => {
    const text = readFileSync(join(ROOT, bug.file), 'utf8')
    expect(plant(bug, text)).not.toBe(text)
    expect(() => plant(bug, 'another text')).toThrow(bug.name)
  })

  test.each(BUGS.filter(({ name }) => EASY.includes(name)))('are found: $name', async (bug) => {
    const { failures } = await huntBug(bug, 0, 200, folder, new AbortController().signal)
    expect(failures).toHaveLength(1)
  })

  test('are not there when none is planted', async () => {
    const { failures } = await huntBug(undefined, 0, 5, folder, new AbortController().signal)
    expect(failures).toEqual([])
  })
})

describe('npm run simulate', () => {
  test('shows what a seed does, which is the same in this process', async () => {
    const { stdout, exitCode } = await command('--seed', '5', '--trace')
    const { hash } = await simulate(drawPlan(5))
    expect(stdout).toContain(`hash ${hash}`)
    expect(stdout).toContain('hub 0 is up')
    expect(exitCode).toBe(0)
  })

  test('runs seeds on all cores, and says how fast', async () => {
    const { stdout, stderr, exitCode } = await command('--seeds', '12', '--from', '10')
    expect(stderr).toContain('Seeds 10 to 21')
    expect(stdout).toMatch(/^12 seeds in \d+ s, [\d.]+ simulated hours, \d+ an hour\.\nNo law is broken\.$/)
    expect(exitCode).toBe(0)
  })

  test('refuses what is no number of seeds', async () => {
    const { stderr, exitCode } = await command('--seeds', 'many')
    expect(stderr).toContain('It is a whole number from 0.')
    expect(exitCode).toBe(1)
  })

  test('ends by Ctrl-C with what it has', async () => {
    const running = command('--seeds', '100000')
    await new Promise((resolve) => running.stderr?.once('data', resolve))
    running.kill('SIGINT')
    const { stdout, exitCode } = await running
    const [, next, left] = /All seeds below (\d+) are done. Go on: --from \1 --seeds (\d+)/.exec(stdout) ?? []
    expect(Number(next) + Number(left)).toBe(100_000)
    expect(stdout).toMatch(/\d+ seeds in .* simulated hours/)
    expect(exitCode).toBe(130)
  })
})
