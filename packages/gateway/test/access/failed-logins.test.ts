import { createGateway } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { ApiClient, basic } from '../support/api-client.ts'
import { ACCOUNT, ACCOUNT_KEY, served, TOKEN } from '../support/served-gateway.ts'

const KEY = { sid: `SK${'5'.repeat(32)}`, secret: 'the-secret-of-the-api-key-32-long' }
const HERE = '192.0.2.1'
const THERE = '192.0.2.2'
const FAILURES = 10

function loggedGateway() {
  const hub = createHub()
  const warnings: object[] = []
  const log = { debug() {}, info() {}, error() {}, warn: (fields: object) => warnings.push(fields) }
  const gateway = createGateway({ hub, keys: [ACCOUNT_KEY, KEY], log })
  onTestFinished(async () => {
    await gateway.close()
    await hub.close()
  })
  /** Asks from an address, as Node's server tells it, or from nowhere. */
  const ask = async (user: string, password: string, remoteAddress?: string): Promise<Response> => {
    const request = new Request('http://localhost/v1/Services/default/Streams', {
      headers: basic(user, password),
    })
    return gateway.fetch(
      request,
      remoteAddress === undefined ? {} : { incoming: { socket: { remoteAddress } } },
    )
  }
  const fail = async (times: number, user: string, from?: string): Promise<number[]> => {
    const statuses: number[] = []
    for (let time = 0; time < times; time++) statuses.push((await ask(user, `guess-${time}`, from)).status)
    return statuses
  }
  return { ask, fail, warnings }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('wrong passwords', () => {
  test('are not looked at any more after ten in a minute, until it is over', async () => {
    const { ask, fail } = loggedGateway()
    expect(await fail(FAILURES, ACCOUNT, HERE)).toEqual(Array(FAILURES).fill(401))
    vi.advanceTimersByTime(50_000)
    const refused = await ask(ACCOUNT, TOKEN, HERE)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10'])
    expect(refused.headers.get('www-authenticate')).toBeNull()
    expect(await refused.json()).toMatchObject({ code: 20429, status: 429 })
    vi.advanceTimersByTime(9_999)
    expect((await ask(ACCOUNT, TOKEN, HERE)).status).toBe(429)
    vi.advanceTimersByTime(1)
    expect((await ask(ACCOUNT, TOKEN, HERE)).status).toBe(200)
    expect(await fail(FAILURES + 1, ACCOUNT, HERE)).toEqual([...Array(FAILURES).fill(401), 429])
  })

  test('that come slowly are all looked at', async () => {
    const { ask, fail, warnings } = loggedGateway()
    for (let minute = 0; minute < 5; minute++) {
      expect(await fail(FAILURES - 1, ACCOUNT, HERE)).toEqual(Array(FAILURES - 1).fill(401))
      expect((await ask(ACCOUNT, TOKEN, HERE)).status).toBe(200)
      vi.advanceTimersByTime(60_000)
    }
    expect(warnings).toEqual([])
  })

  test('delay no other address, and no other key behind the same proxy', async () => {
    const { ask, fail } = loggedGateway()
    await fail(FAILURES, ACCOUNT, HERE)
    await fail(FAILURES, 'nobody', HERE)
    expect((await ask(ACCOUNT, TOKEN, HERE)).status).toBe(429)
    expect((await ask('somebody else', TOKEN, HERE)).status).toBe(429)
    expect((await ask(ACCOUNT, TOKEN, THERE)).status).toBe(200)
    expect((await ask(KEY.sid, KEY.secret, HERE)).status).toBe(200)
    expect((await ask(KEY.sid, KEY.secret, THERE)).status).toBe(200)
  })

  test('do not tell which keys exist', async () => {
    const { ask, fail } = loggedGateway()
    const unknown = Array.from({ length: 3 }, (_, index) => `SK${String(index).repeat(32)}`)
    for (const sid of unknown) expect(await fail(FAILURES, sid, HERE)).toEqual(Array(FAILURES).fill(401))
    const seen = async (sid: string) => {
      const answers = [...(await fail(FAILURES, sid, HERE)), (await ask(sid, 'guess', HERE)).status]
      const last = await ask(sid, 'guess', HERE)
      const headers: string[] = []
      last.headers.forEach((value, name) => void headers.push(`${name}: ${value}`))
      return { answers, headers, body: await last.text() }
    }
    expect(await seen(KEY.sid)).toEqual(await seen(`SK${'4'.repeat(32)}`))
  })

  test('for made-up keys fill no log', async () => {
    const { fail, warnings } = loggedGateway()
    for (let key = 0; key < 20; key++) await fail(FAILURES, `SK${String(key).padStart(32, '0')}`, HERE)
    await fail(FAILURES, KEY.sid, HERE)
    expect(warnings).toMatchObject([{ keySid: undefined }, { keySid: KEY.sid }])
  })

  test('lock no caller out where no address is known, and are warned of', async () => {
    const { ask, fail, warnings } = loggedGateway()
    await fail(FAILURES, ACCOUNT)
    expect((await ask(ACCOUNT, TOKEN)).status).toBe(200)
    expect(warnings).toEqual([expect.objectContaining({ failures: FAILURES, keySid: ACCOUNT })])
  })

  test('are counted by the address that the proxy names, behind a public URL', async () => {
    const proxied = async (publicUrl: string | undefined, password: string, forwardedFor: string) => {
      const { url } = publicUrl === undefined ? direct : behind
      const headers = { ...basic(ACCOUNT, password), 'x-forwarded-for': forwardedFor }
      return (await new ApiClient(url, headers).list()).status
    }
    const direct = await served()
    const behind = await served({ publicUrl: 'https://sync.example' })
    for (const publicUrl of [undefined, 'https://sync.example']) {
      for (let time = 0; time < FAILURES; time++) {
        // What a client sends itself stands before the address of the proxy's own finding.
        expect(await proxied(publicUrl, 'guess', `${time}, ${HERE}`)).toBe(401)
      }
      expect(await proxied(publicUrl, TOKEN, HERE)).toBe(429)
      expect(await proxied(publicUrl, TOKEN, `${HERE}, ${THERE}`)).toBe(publicUrl === undefined ? 429 : 200)
    }
  })

  test('are counted by where a connection comes from, on the short way of publishing too', async () => {
    const warnings: object[] = []
    const log = { debug() {}, info() {}, error() {}, warn: (fields: object) => warnings.push(fields) }
    const { url } = await served({ keys: [ACCOUNT_KEY, KEY], log })
    const guess = new ApiClient(url, basic(ACCOUNT, 'guess'))
    for (let time = 0; time < FAILURES; time++) {
      const answer = time % 2 === 0 ? guess.publish('a', {}) : guess.list()
      expect((await answer).status).toBe(401)
    }
    const api = new ApiClient(url)
    for (const answer of [await api.publish('a', {}), await api.list()]) {
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([
        429,
        expect.stringMatching(/^\d+$/),
      ])
    }
    expect((await new ApiClient(url, basic(KEY.sid, KEY.secret)).publish('a', {})).status).toBe(404)
    expect(warnings).toMatchObject([{ clientAddress: '127.0.0.1', keySid: ACCOUNT }])
  })

  test('are logged in one line each time the limit is reached, without any password', async () => {
    const { fail, warnings } = loggedGateway()
    await fail(3 * FAILURES, ACCOUNT, HERE)
    const first = { clientAddress: HERE, keySid: ACCOUNT, failures: FAILURES, failuresOfAll: FAILURES }
    expect(warnings).toEqual([first])
    await fail(3 * FAILURES, 'no-such-name', THERE)
    vi.advanceTimersByTime(60_000)
    await fail(3 * FAILURES, ACCOUNT, HERE)
    expect(warnings).toEqual([
      first,
      { clientAddress: THERE, keySid: undefined, failures: FAILURES, failuresOfAll: 2 * FAILURES },
      { ...first, failuresOfAll: 3 * FAILURES },
    ])
    for (const text of ['guess', 'no-such-name']) expect(JSON.stringify(warnings)).not.toContain(text)
  })

  test('of very many addresses are remembered for the latest thousands only', async () => {
    const { ask, fail } = loggedGateway()
    await fail(FAILURES, ACCOUNT, HERE)
    await fail(FAILURES, KEY.sid, THERE)
    for (let address = 0; address < 4095; address++) await ask(ACCOUNT, 'wrong', `2001:db8::${address}`)
    expect((await ask(ACCOUNT, TOKEN, HERE)).status).toBe(200)
    expect((await ask(KEY.sid, KEY.secret, THERE)).status).toBe(429)
  })
})
