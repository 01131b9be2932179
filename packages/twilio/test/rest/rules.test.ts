import { memoryRegistry } from '@rivulet/twilio'
import { describe, expect, test, vi } from 'vitest'
import { ApiClient, BASIC, basic } from '../../../gateway/test/support/api-client.ts'
import { SERVICE, served } from '../../../gateway/test/support/served-gateway.ts'

const FORM = 'application/x-www-form-urlencoded'

async function streams(url: string): Promise<(string | null)[]> {
  const { body } = await new ApiClient(url).list()
  return body.streams.map(({ unique_name }: { unique_name: string | null }) => unique_name)
}

describe('a body that is no form', () => {
  const multipart = '--x\r\nContent-Disposition: form-data; name="UniqueName"\r\n\r\na\r\n--x--\r\n'
  test.each([
    ['application/json', '{"UniqueName":"a"}'],
    ['application/json; charset=utf-8', '{}'],
    ['multipart/form-data; boundary=x', multipart],
    ['text/plain;charset=UTF-8', 'UniqueName=a'],
    ['application/x-www-form-urlencodedx', 'UniqueName=a'],
    // As `curl -d` sends JSON.
    [FORM, '{"UniqueName":"a"}'],
    [FORM, ' [1]'],
  ])('of the type %s is refused, and creates nothing: %s', async (type, body) => {
    const { url } = await served()
    const base = `${url}/v1/Services/${SERVICE}/Streams`
    const headers = { ...BASIC, 'content-type': type }
    const answer = await fetch(base, { method: 'POST', headers, body })
    expect(answer.status).toBe(415)
    expect(await answer.json()).toMatchObject({ code: 20001, message: expect.stringContaining(FORM) })
    expect(await streams(url)).toEqual([])
  })

  test('may be empty, whatever its type', async () => {
    const { url } = await served()
    const headers = { ...BASIC, 'content-type': 'application/json' }
    const answer = await fetch(`${url}/v1/Services/${SERVICE}/Streams`, { method: 'POST', headers })
    expect(answer.status).toBe(201)
  })
})

test('names of fields may be percent-encoded', async () => {
  const { url } = await served()
  const headers = { ...BASIC, 'content-type': FORM }
  const body = 'Ttl%3D=1&Uniqu%65Name=a&Ttl=5'
  const answer = await fetch(`${url}/v1/Services/${SERVICE}/Streams`, { method: 'POST', headers, body })
  expect(await answer.json()).toMatchObject({ unique_name: 'a', date_expires: expect.any(String) })
  const broken = await fetch(`${url}/v1/Services/${SERVICE}/Streams`, {
    method: 'POST',
    headers,
    body: 'UniqueName%E4=a',
  })
  expect(broken.status).toBe(400)
  expect(await streams(url)).toEqual(['a'])
})

describe('a number that no double holds', () => {
  test.each(['{"a":1e400}', '{"a":[[-1E+0999]]}', `{"a":{"b":${'9'.repeat(400)}}}`])(
    'is refused: %s',
    async (text) => {
      const { url, hub } = await served()
      const api = new ApiClient(url)
      await api.create({ UniqueName: 'a' })
      const answer = await api.send('POST', api.messagesOf('a'), { Data: text })
      expect(answer).toMatchObject({ status: 400, body: { code: 54008 } })
      expect(hub.ledger().accepted).toBe(0)
    },
  )

  test.each(['{"a":1e300}', '{"a":"1e400"}', '{"a":1e-400}', '{"1e400":[1.5e+3]}'])(
    'is not %s',
    async (text) => {
      const { url } = await served()
      const api = new ApiClient(url)
      await api.create({ UniqueName: 'a' })
      const answer = await api.send('POST', api.messagesOf('a'), { Data: text })
      expect(answer).toMatchObject({ status: 201, body: { data: JSON.parse(text) } })
    },
  )
})

test('every answer says that it is not to be kept or guessed at', async () => {
  const { url } = await served()
  const api = new ApiClient(url)
  const answers = [
    await api.create({ UniqueName: 'a' }),
    await api.create({ UniqueName: 'a' }),
    await api.list(),
    await api.publish('a', { a: 1 }),
    await api.publish('b', { a: 1 }),
    await api.remove('a'),
    await api.send('GET', `${url}/healthz`),
    await api.send('GET', `${url}/openapi.json`),
    await api.send('GET', `${url}/nowhere`),
    await new ApiClient(url, {}).list(),
  ]
  expect(answers.map(({ status }) => status)).toEqual([201, 409, 200, 201, 404, 204, 200, 200, 404, 401])
  for (const { headers } of answers) {
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  }
})

test('the registry is asked only for a caller with the grant', async () => {
  const registry = memoryRegistry()
  const find = vi.spyOn(registry, 'find')
  const key = {
    sid: `SK${'4'.repeat(32)}`,
    secret: 'a',
    grants: [{ streams: 'own', allow: ['publish' as const] }],
  }
  const { url } = await served({ registry, keys: [key] })
  const api = new ApiClient(url, basic(key.sid, key.secret))
  expect((await api.publish('other', {})).body.code).toBe(20403)
  expect((await api.remove('own')).body.code).toBe(20403)
  expect(find).not.toHaveBeenCalled()
  // Which stream a sid belongs to, only the registry knows.
  expect((await api.publish(`TO${'a'.repeat(32)}`, {})).body.code).toBe(20404)
  expect(find).toHaveBeenCalled()
})

test('streams are created at the limit of a service, and not faster', async () => {
  const { url } = await served({ limits: { streams: { creationsPerSecond: 1 } } })
  const api = new ApiClient(url)
  const answers = []
  for (let number = 0; number < 40; number++) answers.push(await api.create({ UniqueName: `s${number}` }))
  const created = answers.filter(({ status }) => status === 201).length
  const refused = answers.filter(({ status }) => status === 429)
  expect(created).toBeGreaterThanOrEqual(10)
  expect(created + refused.length).toBe(40)
  expect(refused[0]?.body).toMatchObject({
    code: 54009,
    message: expect.stringContaining('limits.streams.creationsPerSecond'),
  })
  expect(refused[0]?.headers.get('retry-after')).toBe('1')
})

test('a service has at most as many streams as it may have', async () => {
  const { url } = await served({ limits: { streams: { maxPerService: 2 } } })
  const api = new ApiClient(url)
  await api.create({ UniqueName: 'a' })
  await api.create()
  const refused = await api.create({ UniqueName: 'b' })
  expect(refused).toMatchObject({ status: 429, body: { code: 20429 } })
  expect(refused.body.message).toContain('limits.streams.maxPerService')
  await api.remove('a')
  expect((await api.create({ UniqueName: 'b' })).status).toBe(201)
})
