import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { version } from '../package.json' with { type: 'json' }
import { placesOf } from '../src/completion/words.ts'
import { programOf } from '../src/main.ts'
import { CliProcess, CliTerminal, runCli } from './support/cli-process.ts'

test('the command prints its version and its commands', async () => {
  expect(await runCli(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
  const help = await runCli(['--help'])
  expect(help.exitCode).toBe(0)
  expect(help.stdout).toContain('pub')
  expect(help.stdout).toContain('Exit codes:')
})

test('a reader that leaves is no error of help and version, and a full disk is', async () => {
  for (const args of [['--help'], ['--version'], ['sub', '--help'], ['help', 'pub'], ['serve', '--help']]) {
    const running = new CliProcess(args)
    running.leave()
    expect({ args, ...(await running.ended()) }).toEqual({ args, exitCode: 0, stdout: '', stderr: '' })
  }
  const full = await runCli(['--help'], { stdout: '/dev/full' })
  expect(full.stderr).toMatch(/^rivulet: Standard output can't be written any further: ENOSPC.*\n$/)
  expect(full.exitCode).toBe(1)
})

test('the command suggests the nearest command', async () => {
  const command = await runCli(['pubb', 'positions', '{}'])
  expect(command.exitCode).toBe(2)
  expect(command.stderr).toContain('(Did you mean pub?)')
  const option = await runCli(['pub', 'positions', '{}', '--ulr', 'memory:x'])
  expect(option.exitCode).toBe(2)
  expect(option.stderr).toContain('(Did you mean --url?)')
})

test('an error is one line, and with DEBUG it has its stack', async () => {
  const line = ['sub', 'positions', '--url', 'memory:x', '--schema', 'no-such-file.json']
  const plain = await runCli(line)
  expect(plain.stderr).toMatch(/^rivulet: The schema no-such-file.json can't be read: .*\n$/)
  expect(plain).toMatchObject({ exitCode: 2, stdout: '' })
  const debugged = await runCli(line, { env: { DEBUG: '1' } })
  expect(debugged.stderr).toMatch(/CommandError: The schema .*\n\s+at [\s\S]+caused by Error: ENOENT/)
})

test('messages go to standard error, and are left out with --quiet', async () => {
  const said = await runCli(['pub', 'positions', '{"truck":7}', '--url', 'memory:x'])
  expect(said).toMatchObject({ exitCode: 0, stdout: '' })
  expect(said.stderr).toContain('published 1')
  const silenced = await runCli(['pub', '-q', 'positions', '{"truck":7}', '--url', 'memory:x'])
  expect(silenced).toEqual({ exitCode: 0, stdout: '', stderr: '' })
})

test('a terminal shows colours, unless an option turns them off', async () => {
  const line = ['pub', 'positions', 'no JSON', '--url', 'memory:x']
  const coloured = await new CliTerminal(line).ended()
  expect(coloured.exitCode).toBe(2)
  expect(coloured.screen).toContain('\x1b[33mrivulet:\x1b[39m The message is not JSON.')
  const cases: [args: string[], env: Record<string, string>][] = [
    [[...line, '--no-color'], {}],
    [line, { NO_COLOR: '1' }],
    [line, { TERM: 'dumb' }],
    [line, { FORCE_COLOR: '0' }],
  ]
  for (const [args, env] of cases) {
    expect((await new CliTerminal(args, { env }).ended()).screen).not.toContain('\x1b')
  }
  const forced = await runCli(line, { env: { FORCE_COLOR: '1' } })
  expect(forced.stderr).toContain('\x1b[33m')
})

test('the README names every command and every option', () => {
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8')
  const places = placesOf(programOf())
  expect(places.length).toBeGreaterThan(5)
  const commands = places.map(({ path }) => path).filter((path) => path !== '' && !path.endsWith('help'))
  expect(commands.filter((path) => !readme.includes(`rivulet ${path}`))).toEqual([])
  const options = new Set(places.flatMap(({ options }) => options.map(({ text }) => text)))
  expect([...options].filter((text) => !readme.includes(text) && text !== '--version')).toEqual([])
})

test('every command has a help of its own, with examples unless it has subcommands', async () => {
  for (const args of [['pub'], ['sub'], ['context'], ['completion'], ['serve']]) {
    const { exitCode, stdout } = await runCli([...args, '--help'])
    expect(stdout).toContain('Examples:')
    expect(exitCode).toBe(0)
  }
  const add = await runCli(['context', 'add', '--help'])
  expect(add.stdout).toContain('--use')
})
