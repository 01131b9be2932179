import { expect, test } from 'vitest'
import { version } from '../package.json' with { type: 'json' }
import { CliTerminal, runCli } from './support/cli-process.ts'

test('the command says its version and its commands', async () => {
  expect(await runCli(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
  const help = await runCli(['--help'])
  expect(help.exitCode).toBe(0)
  expect(help.stdout).toContain('pub')
  expect(help.stdout).toContain('Exit codes:')
})

test('the command guesses what was meant', async () => {
  const command = await runCli(['pubb', 'positions', '{}'])
  expect(command.exitCode).toBe(2)
  expect(command.stderr).toContain('(Did you mean pub?)')
  const option = await runCli(['pub', 'positions', '{}', '--ulr', 'memory:x'])
  expect(option.exitCode).toBe(2)
  expect(option.stderr).toContain('(Did you mean --url?)')
})

test('an error is one line, and with DEBUG it has its stack', async () => {
  const plain = await runCli(['pub', 'positions', '{"a":1', '--url', 'memory:x'])
  expect(plain).toEqual({ exitCode: 2, stdout: '', stderr: 'rivulet: The message is not JSON.\n' })
  const debugged = await runCli(['pub', 'positions', '{"a":1', '--url', 'memory:x'], { env: { DEBUG: '1' } })
  expect(debugged.stderr).toMatch(
    /CommandError: The message is not JSON\.\n\s+at [\s\S]+caused by SyntaxError/,
  )
})

test('words go to standard error, and are left out with --quiet', async () => {
  const said = await runCli(['pub', 'positions', '{"truck":7}', '--url', 'memory:x'])
  expect(said).toMatchObject({ exitCode: 0, stdout: '' })
  expect(said.stderr).toContain('published 1')
  const quiet = await runCli(['pub', '-q', 'positions', '{"truck":7}', '--url', 'memory:x'])
  expect(quiet).toEqual({ exitCode: 0, stdout: '', stderr: '' })
})

test('a terminal shows colours, unless it is told not to', async () => {
  const line = ['pub', 'positions', 'no JSON', '--url', 'memory:x']
  const coloured = await new CliTerminal(line).ended()
  expect(coloured.exitCode).toBe(2)
  expect(coloured.screen).toContain('\x1b[33mrivulet:\x1b[39m The message')
  const told: [args: string[], env: Record<string, string>][] = [
    [[...line, '--no-color'], {}],
    [line, { NO_COLOR: '1' }],
    [line, { TERM: 'dumb' }],
    [line, { FORCE_COLOR: '0' }],
  ]
  for (const [args, env] of told) {
    expect((await new CliTerminal(args, { env }).ended()).screen).not.toContain('\x1b')
  }
  const forced = await runCli(line, { env: { FORCE_COLOR: '1' } })
  expect(forced.stderr).toContain('\x1b[33m')
})
