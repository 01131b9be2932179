import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startNats } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { runCli } from './support/cli-process.ts'
import { heardOn } from './support/heard.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

/** Makes a user's configuration folder, and the command with it. */
function userWith(env: Record<string, string> = {}) {
  const folder = temporaryFolder()
  const file = join(folder, 'rivulet', 'contexts.json')
  const run = (...args: string[]) => runCli(args, { env: { ...env, XDG_CONFIG_HOME: folder } })
  const context = (...args: string[]) => run('context', ...args)
  return { folder, file, run, context }
}

test('contexts are added, listed, used and removed', async () => {
  const { context, file } = userWith()
  expect(await context('ls')).toMatchObject({ exitCode: 0, stdout: '' })
  expect((await context('add', 'local', 'nats://127.0.0.1:4222')).stderr).toBe(
    'kept local, the current context\n',
  )
  await context('add', 'fleet', 'mqtt://a:1883', 'mqtt://b:1883', '--hub', 'fleet')
  expect((await context('ls')).stdout).toBe(
    '  fleet  mqtt://a:1883 mqtt://b:1883  hub fleet\n* local  nats://127.0.0.1:4222\n',
  )
  expect((await context('use', 'fleet')).exitCode).toBe(0)
  expect(JSON.parse((await context('ls', '--json')).stdout)).toEqual([
    { name: 'fleet', isCurrent: true, urls: ['mqtt://a:1883', 'mqtt://b:1883'], hub: 'fleet' },
    { name: 'local', isCurrent: false, urls: ['nats://127.0.0.1:4222'] },
  ])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700)
  expect((await context('rm', 'fleet')).stderr).toBe('removed fleet; there is no current context now\n')
  expect((await context('ls')).stdout).toBe('  local  nats://127.0.0.1:4222\n')
  await context('add', 'third', 'nats://c:4222', '--use')
  expect(JSON.parse(readFileSync(file, 'utf8')).current).toBe('third')
})

test('no control character of a file or an argument is shown', async () => {
  const { context, run, file } = userWith()
  mkdirSync(join(file, '..'))
  const contexts = { 'a\u009B2J': { urls: ['memory:\u001B[2J\u202E'], hub: 'x\r' } }
  writeFileSync(file, JSON.stringify({ contexts }))
  expect((await context('ls')).stdout).toBe('  a\\u009b2J  memory:\\u001b[2J\\u202e  hub x\\u000d\n')
  expect((await context('use', '\u001B[2J')).stderr).toContain(
    'There is no context "\\u001b[2J"; there are a\\u009b2J.',
  )
  const subscribed = await run('sub', 'a\u001B[2J', '--url', 'memory:x', '--for', '1ms')
  expect(subscribed.stderr).toContain('subscribed to a\\u001b[2J of hub')
})

test('a URL with a secret in it is refused and not kept, one with a reference is', async () => {
  const { context, file } = userWith()
  const secrets = [
    'nats://ann:swordfish@host',
    'nats://swordfish@host',
    'redis://:swordfish@host',
    `mqtt://ann:\${NAME}swordfish@host`,
    'mqtt://ann:sword@fish@host',
    'ws://host/rivulet?a=b&token=swordfish',
    'ws://host/rivulet?%74oken=swordfish',
    ...['access_token', 'api_key', 'apiKey', 'auth', 'pass', 'jwt'].map(
      (name) => `ws://host/?${name}=swordfish`,
    ),
    'ws://host/rivulet#token=swordfish',
    `ws://host/?token=\${NAME}swordfish`,
  ]
  for (const url of secrets) {
    const { exitCode, stdout, stderr } = await context('add', 'a', url)
    expect(stderr, url).toContain(`secrets are not kept; write \${NAME} in its place`)
    expect(stderr).not.toMatch(/sword|fish/)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  }
  expect(existsSync(file)).toBe(false)
  const kept = [
    `nats://\${TOKEN}@host`,
    'mqtt://ann@host',
    `redis://ann:\${file:/run/secrets/redis}@host:6379`,
  ]
  for (const url of kept) expect((await context('add', 'a', url)).exitCode, url).toBe(0)
})

test.each([
  'nats://ann:sword/fish@host',
  'nats://ann:sword#fish@host',
  'nats://ann:sword?fish@host',
  'ws://ann:sword/fish@host',
  'nats:ann:swordfish@host',
  'ws:ann:swordfish@host',
  'ws:/ann:swordfish@host',
  'ws:///ann:swordfish@host',
  'ws://host/?%=swordfish',
  'nats://host?unknown=1',
  'nats://host/path',
  'nats://host:port',
  'redis://host/?db=swordfish',
  'http://host',
  'replay:file.ndjson?speed=swordfish',
])('the URL %s is refused, not kept and not repeated', async (url) => {
  const { context, file } = userWith()
  const { exitCode, stdout, stderr } = await context('add', 'a', url)
  expect(stderr).toMatch(/^rivulet: .*\n$/)
  expect(stderr).not.toMatch(/(?<!pas)sword|fish/)
  expect({ exitCode, stdout, exists: existsSync(file) }).toEqual({ exitCode: 2, stdout: '', exists: false })
})

test('a hub whose name no command takes is refused, and not kept', async () => {
  const { context, file } = userWith()
  const { exitCode, stderr } = await context('add', 'a', 'nats://host:4222', '--hub', 'bad name')
  expect(stderr).toMatch(/^rivulet: A hub name is 1 to 64 characters.*\n$/)
  expect({ exitCode, exists: existsSync(file) }).toEqual({ exitCode: 2, exists: false })
})

test('URLs of every transport are kept', async () => {
  const { context } = userWith()
  const kept = [
    ['nats://a:4222?prefix=x', `nats://ann:\${NAME}@b:\${PORT}`],
    ['mqtts://ann@host:8883'],
    [`rediss://:\${file:/run/secrets/user@redis}@host?sharded=true`],
    [`ws://host/rivulet?token=\${TOKEN}`],
    ['replay:folder/user@key=1.ndjson?speed=2'],
    ['memory:a'],
  ]
  for (const urls of kept) expect(await context('add', 'a', ...urls), urls[0]).toMatchObject({ exitCode: 0 })
})

test('a context locates a hub, and its references are resolved', async () => {
  const password = 'p@ss/w:rd'
  const broker = await startNats({ users: { ann: password } })
  const url = broker.url.replace('//', '//ann:$@')
  const full = (secret: string) => url.replace('$', () => encodeURIComponent(secret))
  const heard = await heardOn(full(password), 'a', 'fleet')
  const { context, run, folder } = userWith({ THE_PASSWORD: password, RIVULET_HUB: 'other' })
  const secretFile = join(folder, 'secret')
  writeFileSync(secretFile, `${password}\n`)
  await context('add', 'by-name', url.replace('$', `\${THE_PASSWORD}`), '--hub', 'fleet')
  await context(
    'add',
    'by-file',
    url.replace('$', () => `\${file:${secretFile}}`),
    '--hub',
    'fleet',
  )
  await context('add', 'wrong', url.replace('$', `\${NO_SUCH_VARIABLE}`))
  for (const name of ['by-name', 'by-file']) {
    const { exitCode, stderr } = await run('pub', 'a', `{"by":"${name}"}`, '--context', name)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: 'published 1: 1 confirmed\n' })
  }
  expect((await run('pub', 'a', '{"by":"current"}', '--hub', 'fleet')).exitCode).toBe(0)
  expect(await heard.take(3)).toEqual(['by-name', 'by-file', 'current'].map((by) => ({ by })))
  const wrong = await run('pub', 'a', '{}', '--context', 'wrong')
  expect(wrong.stderr).toBe(
    `rivulet: The URL names \${NO_SUCH_VARIABLE}, and the environment has no NO_SUCH_VARIABLE.\n`,
  )
  expect(wrong.exitCode).toBe(2)
  await broker.close()
})

test('the environment comes before the current context, and options before both', async () => {
  const folder = userWith({ RIVULET_URL: 'memory:environment', RIVULET_CONTEXT: 'third' })
  await folder.context('add', 'first', `nats://127.0.0.1:${await freePort()}`)
  const named = await folder.run('pub', 'a', '{}')
  expect(named).toMatchObject({ exitCode: 0 })
  const byOption = await folder.run('pub', 'a', '{}', '--context', 'first', '--wait', '300ms')
  expect(byOption).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('connection refused') })
  const other = userWith({ RIVULET_CONTEXT: 'third' })
  await other.context('add', 'first', 'memory:a')
  expect((await other.run('pub', 'a', '{}')).stderr).toContain(
    'There is no context "third"; there are first.',
  )
  const both = await other.run('pub', 'a', '{}', '--context', 'first', '--url', 'memory:b')
  expect(both).toMatchObject({ exitCode: 2, stderr: 'rivulet: Give --url or --context, not both.\n' })
})

test.each([
  [['use', 'nowhere'], /There is no context "nowhere"; make one with/],
  [['rm', '__proto__'], /There is no context "__proto__"/],
  [['add', 'a'], /Give the URL of a broker/],
  [['add', 'a b', 'nats://host'], /A context's name has/],
  [['add', 'a', 'host'], /A URL is such as/],
  [['lst'], /Did you mean ls\?|unknown command/],
  [['add', 'a', 'nats://host', '--used'], /Did you mean --use\?/],
])('context %j is refused with advice', async (args, sentence) => {
  const { context, file } = userWith()
  const { exitCode, stderr } = await context(...args)
  expect(stderr).toMatch(sentence)
  expect(exitCode).toBe(2)
  expect(existsSync(file)).toBe(false)
})

test.each(['{', '[]', '{"contexts":{"a":{"urls":"nats://host"}}}'])(
  'a file with %s in it is left as it is',
  async (text) => {
    const { context, file } = userWith()
    mkdirSync(join(file, '..'))
    writeFileSync(file, text)
    const { exitCode, stderr } = await context('add', 'a', 'nats://host')
    expect(stderr).toContain('mend the file, or remove it')
    expect(exitCode).toBe(1)
    expect(readFileSync(file, 'utf8')).toBe(text)
  },
)
