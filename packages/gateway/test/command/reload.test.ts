import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ApiClient, BASIC, basic } from '../support/api-client.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { ACCOUNT, SERVICE, TOKEN } from '../support/served-gateway.ts'
import { listenAt } from '../support/sse-client.ts'
import { fileWith } from '../support/temporary-file.ts'

const FIRST = { sid: `SK${'4'.repeat(32)}`, secret: 'the-secret-of-the-first-key' }
const SECOND = { sid: `SK${'5'.repeat(32)}`, secret: 'the-secret-of-the-second-key' }
const READ = 'the keys were read anew'
const KEPT = 'the keys stay as they were: what was read can not be used'

/** Sends SIGHUP, and gives the line that the gateway writes about it. */
async function hangUp(running: GatewayProcess): Promise<Record<string, unknown>> {
  const about = () => running.lines.filter(({ msg }) => msg === READ || msg === KEPT)
  const before = about().length
  running.child.kill('SIGHUP')
  for (;;) {
    const line = about()[before]
    if (line !== undefined) return line
    if (running.child.exitCode !== null || running.child.signalCode !== null) throw new Error('it has ended')
    const output = running.child.stdout as NodeJS.EventEmitter
    await Promise.race([once(output, 'data'), once(running.child, 'close')])
  }
}

const statusOf = async (url: string, key: { sid: string; secret: string }) =>
  (await new ApiClient(url, basic(key.sid, key.secret)).list()).status

test('at SIGHUP the command reads its keys anew, and ends listeners of removed keys', async () => {
  const file = fileWith('keys', `${FIRST.sid}:${FIRST.secret}\n`)
  const config = fileWith('config.json', JSON.stringify({ keys: [{ sid: FIRST.sid }] }))
  const args = ['--port', '0', '--service', SERVICE, '--key-file', file, '--config', config]
  const running = new GatewayProcess(args, { RIVULET_GATEWAY_KEYS: `${ACCOUNT}:${TOKEN}` })
  const url = await running.url()
  const api = new ApiClient(url)
  await api.create({ UniqueName: 'a' })
  const stays = await listenAt(api.messagesOf('a'), BASIC)
  const goes = await listenAt(api.messagesOf('a'), basic(FIRST.sid, FIRST.secret))

  writeFileSync(file, `${SECOND.sid}:${SECOND.secret}\n`)
  writeFileSync(config, JSON.stringify({ keys: [{ sid: SECOND.sid }] }))
  expect(await hangUp(running)).toMatchObject({ msg: READ, keys: 2 })
  await goes.ended
  expect(goes.events).toMatchObject([{ event: 'closing', data: { reason: 'keyChanged' } }])
  expect([await statusOf(url, FIRST), await statusOf(url, SECOND)]).toEqual([401, 200])

  // Grants that stand in the file count, too.
  const grants = [{ streams: 'b', allow: ['publish'] }]
  writeFileSync(config, JSON.stringify({ keys: [{ sid: SECOND.sid, grants }] }))
  expect(await hangUp(running)).toMatchObject({ msg: READ, keys: 2 })
  expect(await statusOf(url, SECOND)).toBe(403)

  await api.publish('a', { n: 1 })
  expect((await stays.count(1)).map(({ data }) => data)).toEqual([{ n: 1 }])
  expect(await running.kill('SIGTERM')).toBe(0)
  for (const { secret } of [FIRST, SECOND]) expect(running.output).not.toContain(secret)
})

test('a file that can not be used leaves the keys as they were, and the log says why', async () => {
  const file = fileWith('keys', `${FIRST.sid}:${FIRST.secret}\n`)
  const config = fileWith('config.json', '{}')
  const running = new GatewayProcess([
    '--port',
    '0',
    '--service',
    SERVICE,
    '--key-file',
    file,
    '--config',
    config,
  ])
  const url = await running.url()
  const good = `${FIRST.sid}:${FIRST.secret}`
  const broken: [keys: string, config: string, reason: RegExp][] = [
    [`${good}\nSK1:the-hidden-secret`, '{}', /sid of a key/],
    [`${good}\nthe-hidden-secret`, '{}', /A key is "AC/],
    [good, '{ "keys": [ the-hidden-secret', /can't be read as JSON/],
    [good, '{ "keyz": [] }', /unknown field/],
    ['', '{}', /no keys/],
  ]
  for (const [keys, text, reason] of broken) {
    writeFileSync(file, keys)
    writeFileSync(config, text)
    expect(await hangUp(running)).toMatchObject({
      msg: KEPT,
      level: 50,
      reason: expect.stringMatching(reason),
    })
    expect(await statusOf(url, FIRST)).toBe(200)
  }
  expect(running.output).not.toContain('the-hidden-secret')
})

test('SIGHUP ends a gateway without keys in good order, since its terminal is gone', async () => {
  const running = new GatewayProcess(['--port', '0', '--open'])
  await running.url()
  expect(await running.kill('SIGHUP')).toBe(0)
  expect(running.lines.at(-1)).toMatchObject({ msg: 'closed' })
})
