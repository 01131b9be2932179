import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { buildSync } from 'esbuild'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { startNats } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { CliProcess, runCli } from './support/cli-process.ts'
import { heardOn } from './support/heard.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

const LOCAL = ['serve', '--port', '0', '--open']

/** Resolves to the address of a gateway. */
async function urlOf(running: CliProcess): Promise<string> {
  await running.prints('"msg":"listening"')
  return running.records.find(({ msg }) => msg === 'listening')?.url as string
}

async function publish(url: string, stream: string, data: object): Promise<number> {
  const streams = `${url}/v1/Services/default/Streams`
  const post = (target: string, form: Record<string, string>) =>
    fetch(target, { method: 'POST', body: new URLSearchParams(form) })
  await post(streams, { UniqueName: stream })
  return (await post(`${streams}/${stream}/Messages`, { Data: JSON.stringify(data) })).status
}

test('serve runs the gateway for the hub of the options, and ends in good order', async () => {
  const broker = await startNats()
  const heard = await heardOn(broker.url, 'positions', 'fleet')
  const running = new CliProcess([...LOCAL, '--url', broker.url, '--hub', 'fleet'])
  expect(await publish(await urlOf(running), 'positions', { truck: 7 })).toBe(201)
  expect(await heard.take(1)).toEqual([{ truck: 7 }])
  running.kill('SIGTERM')
  const { exitCode, stdout, stderr } = await running.ended()
  expect(stdout).toContain('"msg":"closed"')
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  await broker.close()
})

test("serve takes the URL from a context, after the gateway's own options", async () => {
  const folder = temporaryFolder()
  const env = { XDG_CONFIG_HOME: folder }
  const away = `nats://127.0.0.1:${await freePort()}`
  await runCli(['context', 'add', 'away', away, '--hub', 'fleet'], { env })
  const broker = await startNats()
  const heard = await heardOn(broker.url, 'a', 'other')
  const running = new CliProcess([...LOCAL, '--transport', broker.url, '--name', 'other'], { env })
  expect(await publish(await urlOf(running), 'a', { n: 1 })).toBe(201)
  expect(await heard.take(1)).toEqual([{ n: 1 }])
  running.kill('SIGINT')
  expect((await running.ended()).exitCode).toBe(0)
  const current = await runCli(LOCAL, { env })
  expect(current.stderr).toMatch(/^rivulet serve: The transport was not up .*connection refused/)
  expect(current.exitCode).toBe(3)
  const config = join(folder, 'config.json')
  writeFileSync(config, JSON.stringify({ open: true, port: 0, services: { [`IS${'1'.repeat(32)}`]: {} } }))
  const configured = new CliProcess(['serve', '--config', config], { env })
  await urlOf(configured)
  configured.kill('SIGTERM')
  expect((await configured.ended()).exitCode).toBe(0)
  await broker.close()
})

test('serve waits for the broker for the time of --wait', async () => {
  const away = `nats://127.0.0.1:${await freePort()}`
  for (const place of ['--url', '--transport']) {
    const { exitCode, stderr } = await runCli([...LOCAL, place, away, '--wait', '300ms'])
    expect(stderr).toContain('not up within 300 ms')
    expect(exitCode).toBe(3)
  }
})

test('serve shows the help of the gateway, under its own name', async () => {
  const { exitCode, stdout } = await runCli(['serve', '--help'])
  expect(stdout).toMatch(/^Usage: rivulet serve /)
  expect(stdout).toContain('--registry <kind>')
  expect(stdout).not.toContain('rivulet-gateway')
  expect(exitCode).toBe(0)
  expect((await runCli(['help', 'serve'])).stdout).toContain('rivulet serve --help')
})

test('serve reports faults with the exit codes of every command', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const wrongs: [args: string[], exitCode: number, sentence: RegExp][] = [
    [['serve', '--port', 'x'], 2, /It is a number from 0 to 65535/],
    [['serve', '--opne'], 2, /unknown option '--opne'\n\(Did you mean --open\?\)/],
    [['serve', '--port', '0'], 2, /^rivulet serve: There are no keys/],
    [['serve', '--port', `${port}`, '--open'], 1, /^rivulet serve: The port is taken/],
    [['serve', '--open', '--context', 'nowhere'], 2, /^rivulet: There is no context "nowhere"/],
  ]
  for (const [args, exitCode, sentence] of wrongs) {
    const ending = await runCli(args)
    expect(ending.stderr).toMatch(sentence)
    expect({ args, exitCode: ending.exitCode }).toEqual({ args, exitCode })
  }
  taken.close()
})

test('serve names the package to install without a gateway', async () => {
  // In a folder without packages, so without the gateway.
  const outfile = join(temporaryFolder(), 'rivulet.mjs')
  buildSync({
    entryPoints: [join(import.meta.dirname, '../src/command.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@rivulet/source'],
    logLevel: 'error',
    external: ['@rivulet/gateway/command-line'],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  })
  const { exitCode, stdout, stderr } = await execa('node', [outfile, ...LOCAL], { reject: false })
  expect(stderr).toContain(
    'rivulet: @rivulet/gateway is not installed; run: npm install --global @rivulet/gateway',
  )
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
})
