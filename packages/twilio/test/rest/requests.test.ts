import { connect } from 'node:net'
import { createGateway, DEFAULT_SERVICE_SID } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ApiClient, BASIC } from '../../../gateway/test/support/api-client.ts'
import { sendRaw } from '../../../gateway/test/support/raw-http.ts'
import { SERVICE, served } from '../../../gateway/test/support/served-gateway.ts'

const HOSTILE_NAMES = [
  ...['a/b', '/', '//', 'a/Messages', '?', '#', '%', '%2F', '%00', 'a+b', 'a b', '+', ' ', '&=;', '"', "'"],
  ...[
    'é',
    'é',
    '☃',
    '🦊',
    '\u0000',
    '\u0001',
    '\ufffd',
    '\ufeff',
    '...',
    '*',
    '>',
    '$SYS',
    '__proto__',
    'constructor',
  ],
  ...['toString', 'anonymous/', 'Streams', 'default', '\\', '<script>', '☃'.repeat(320), 'x'.repeat(320)],
]

describe('a name', () => {
  test.each(HOSTILE_NAMES)('%j goes through the path and comes back', async (name) => {
    const { url, hub } = await served()
    const api = new ApiClient(url)
    const { status, body } = await api.create({ UniqueName: name })
    expect([status, body.unique_name]).toEqual([201, name])
    expect((await api.create({ UniqueName: name })).body.code).toBe(54301)
    const heard: unknown[] = []
    hub.stream(name).subscribe(({ data }) => heard.push(data))
    expect((await api.publish(name, { n: 1 })).status).toBe(201)
    expect(heard).toEqual([{ n: 1 }])
    expect((await api.fetch(name)).body.sid).toBe(body.sid)
    expect((await api.list()).body.streams).toHaveLength(1)
    expect((await api.remove(name)).status).toBe(204)
    expect((await api.fetch(body.sid)).status).toBe(404)
  })

  test('of one or two dots is reached by the sid only', async () => {
    const { url } = await served()
    const api = new ApiClient(url)
    for (const name of ['.', '..']) {
      const { body } = await api.create({ UniqueName: name })
      expect((await api.fetch(body.sid)).body.unique_name).toBe(name)
      expect((await api.fetch(name)).body.sid).toBeUndefined()
    }
  })

  test('with a lone surrogate, or broken percent-encoding, is refused', async () => {
    const { url } = await served()
    const api = new ApiClient(url)
    const base = `${url}/v1/Services/${SERVICE}/Streams`
    const post = (body: string) =>
      fetch(base, {
        method: 'POST',
        body,
        headers: { ...BASIC, 'content-type': 'application/x-www-form-urlencoded' },
      })
    for (const name of ['%ED%A0%80', '%E0%A4', '%'])
      expect((await post(`UniqueName=${name}`)).status).toBe(400)
    for (const id of ['%ED%A0%80', '%E0%A4', '%', '%zz']) {
      expect((await api.send('GET', `${base}/${id}`)).body.code).toBe(20404)
    }
    expect((await post('UniqueName=a%2Bb+c%20d')).status).toBe(201)
    expect((await api.fetch('a+b c d')).status).toBe(200)
  })
})

describe('a path', () => {
  const paths = [
    ...['', '/', '//', '/v1', '/v1/', `/v1/Services/${SERVICE}/`],
    ...[
      `/v1/Services/${SERVICE}/Streams/`,
      `/v1/Services/${SERVICE}/Streams/a/../..`,
      '/v1/Services//Streams',
    ],
    ...[`/v1/Services/${SERVICE}/Streams//Messages`, `/v1/Services/${SERVICE}/Streams/a/Messages/`],
    ...[`/v1/Services/${SERVICE}/Streams/a/Other`, `/v1/Services/${SERVICE}/Streams/..`],
  ]

  test.each(paths)('%j is not found, and does no harm', async (path) => {
    const { url, server } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    for (const method of ['GET', 'DELETE', 'POST']) {
      const head = `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${BASIC.authorization}\r\n`
      const answer = await sendRaw(server.port, `${head}Content-Length: 0\r\n\r\n`)
      expect([400, 404]).toContain(answer?.status)
      expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: answer?.status === 404 ? 20404 : 20001 })
    }
    expect((await api.fetch('a')).status).toBe(200)
  })

  test('takes no other methods than those of Twilio', async () => {
    const { url } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    for (const method of ['PUT', 'PATCH', 'OPTIONS']) {
      for (const path of [api.urlOf('a'), api.messagesOf('a'), `${url}/v1/Services/${SERVICE}/Streams`]) {
        const answer = await api.send(method, path)
        expect(answer).toMatchObject({ status: 405, body: { code: 20004 } })
        expect(answer.headers.get('allow')).toContain('POST')
      }
    }
  })
})

describe('a body', () => {
  const post = (length: string, body: string, path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: ${BASIC.authorization}\r\n${length}\r\n\r\n${body}`

  test('of more than 64 KiB is refused before it is sent, and chunk by chunk', async () => {
    const { url, server } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const { pathname } = new URL(api.messagesOf('a'))
    const declared = await sendRaw(server.port, post('Content-Length: 65537', '', pathname))
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`
    const chunked = await sendRaw(server.port, post('Transfer-Encoding: chunked', chunk.repeat(5), pathname))
    for (const answer of [declared, chunked]) {
      expect(answer?.status).toBe(413)
      expect(JSON.parse(answer?.body ?? '')).toMatchObject({ code: 54006, status: 413 })
    }
  })

  test('may come in chunks', async () => {
    const { url, server } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const { pathname } = new URL(api.messagesOf('a'))
    const chunks = '6\r\nData=%\r\n13\r\n7B%22a%22%3A%22%C3%\r\n8\r\nA9%22%7D\r\n0\r\n\r\n'
    const answer = await sendRaw(server.port, post('Transfer-Encoding: chunked', chunks, pathname))
    expect(answer?.status).toBe(201)
  })

  test('that comes after its stream was removed is not published', async () => {
    const { url, server, hub } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const socket = connect(server.port, '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.write(post('Content-Length: 11', 'Data=', new URL(api.messagesOf('a')).pathname))
    await new Promise((resolve) => setTimeout(resolve, 50))
    await api.remove('a')
    socket.write('%7B%7D')
    await waitFor(() => expect(answer).toContain('20404'))
    expect([...hub.streams()]).toEqual([])
    expect(hub.ledger().attempts).toBe(0)
    socket.destroy()
  })

  test('beyond a rate of 0 is refused without a time to come again', async () => {
    const { url, hub } = await served()
    hub.stream('a', { limit: { ratePerSecond: 0, burst: 1 } })
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    await api.publish('a', {})
    const { status, headers } = await api.publish('a', {})
    expect([status, headers.get('retry-after')]).toEqual([429, null])
  })

  test('counts as compact JSON, however it was sent', async () => {
    const { url } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const data = { text: 'é'.repeat(2042) }
    expect(Buffer.byteLength(JSON.stringify(data))).toBe(4095)
    const spaced = JSON.stringify(data, undefined, 8).replaceAll('é', '\\u00e9')
    const publish = (Data: string) => api.send('POST', api.messagesOf('a'), { Data })
    expect((await publish(spaced)).status).toBe(201)
    expect((await publish(spaced.replace('"text"', '"text"    ').replace('é', 'é'))).status).toBe(201)
    expect((await publish(JSON.stringify({ text: 'é'.repeat(2043) }))).body.code).toBe(54006)
  })

  test('with keys that would change a prototype, or nested too deep, is refused', async () => {
    const { url } = await served()
    const api = new ApiClient(url)
    await api.create({ UniqueName: 'a' })
    const deep = `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`
    for (const Data of ['{"__proto__":{}}', '{"\\u005f_proto__":1}', deep, `${'['.repeat(3000)}`]) {
      expect((await api.send('POST', api.messagesOf('a'), { Data })).body.code).toBe(54008)
    }
  })
})

test('a flood is refused with the seconds to wait, before its data is read', async () => {
  const { url, hub } = await served()
  hub.stream('a', { limit: { ratePerSecond: 0.5, burst: 1 } })
  const api = new ApiClient(url)
  await api.create({ UniqueName: 'a' })
  expect((await api.publish('a', {})).status).toBe(201)
  const refused = await api.send('POST', api.messagesOf('a'), { Data: 'not even JSON' })
  expect(refused).toMatchObject({ status: 429, body: { code: 54009, status: 429 } })
  expect(refused.headers.get('retry-after')).toBe('2')
  expect(hub.ledger().refused).toMatchObject({ rateLimited: 1, invalidData: 0 })
})

test('an error is in the form of Twilio', async () => {
  const { url } = await served()
  const { body } = await new ApiClient(url).fetch('nowhere')
  expect(body).toEqual({
    code: 20404,
    message: 'The requested resource was not found',
    more_info: 'https://www.twilio.com/docs/errors/20404',
    status: 404,
  })
})

test('a page that does not exist is refused', async () => {
  const { url } = await served()
  const api = new ApiClient(url)
  for (const query of ['?PageSize=0', '?PageSize=x', '?PageSize=-1', '?Page=x', '?PageToken=x']) {
    expect(await api.list(query)).toMatchObject({ status: 400, body: { code: 20001 } })
  }
})

test('pages keep their place while streams come and go', async () => {
  const { url } = await served()
  const api = new ApiClient(url)
  for (let n = 0; n < 6; n++) await api.create({ UniqueName: `s${n}` })
  const names = (page: { streams: { unique_name: string }[] }) =>
    page.streams.map((stream) => stream.unique_name)
  // Streams of one millisecond stand in the order of their sids.
  const all = names((await api.list('')).body)
  expect([...all].sort()).toEqual(['s0', 's1', 's2', 's3', 's4', 's5'])
  const first = (await api.list('?PageSize=2')).body
  expect(names(first)).toEqual(all.slice(0, 2))
  for (const name of all.slice(0, 2)) await api.remove(name)
  const second = (await api.send('GET', first.meta.next_page_url)).body
  expect(names(second)).toEqual(all.slice(2, 4))
  expect(second.meta).toMatchObject({ key: 'streams', page: 1, page_size: 2, previous_page_url: null })
  const third = (await api.send('GET', second.meta.next_page_url)).body
  expect(names(third)).toEqual(all.slice(4))
  expect(third.meta.next_page_url).toBeNull()
  expect(names((await api.send('GET', third.meta.previous_page_url)).body)).toEqual(all.slice(2, 4))
})

test('the health route tells whether every hub is up', async () => {
  const { url, hub } = await served()
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'up', registry: 'up' })
  await hub.close()
  const response = await fetch(`${url}/healthz`)
  expect([response.status, await response.json()]).toEqual([503, { status: 'down', registry: 'up' }])
  const api = new ApiClient(url)
  await api.create({ UniqueName: 'a' })
  expect(await api.publish('a', {})).toMatchObject({ status: 503, body: { code: 20503 } })
})

test('what drains is not ready, and goes on answering', async () => {
  const { url, gateway } = await served()
  const statuses = async () => {
    const answers = ['/livez', '/readyz', '/healthz'].map((path) => fetch(`${url}${path}`))
    return (await Promise.all(answers)).map(({ status }) => status)
  }
  expect(await statuses()).toEqual([200, 200, 200])
  gateway.drain()
  expect(await statuses()).toEqual([200, 503, 503])
  const api = new ApiClient(url)
  await api.create({ UniqueName: 'a' })
  expect((await api.publish('a', {})).status).toBe(201)
})

test('the handler works without a server, under a path of its own', async () => {
  const hub = createHub()
  const gateway = createGateway({ hub, open: true, basePath: '/sync', publicUrl: 'https://example.com/' })
  const ask = (path: string, init?: RequestInit) =>
    gateway.fetch(new Request(`http://localhost${path}`, init))
  const created = await ask('/sync/v1/Services/default/Streams', {
    method: 'POST',
    body: new URLSearchParams(),
  })
  const { url, service_sid } = (await created.json()) as { url: string; service_sid: string }
  expect(service_sid).toBe(DEFAULT_SERVICE_SID)
  expect(url).toMatch(new RegExp(`^https://example.com/sync/v1/Services/${DEFAULT_SERVICE_SID}/Streams/TO`))
  expect((await ask('/v1/Services/default/Streams')).status).toBe(404)
  await gateway.close()
  expect((await ask('/sync/v1/Services/default/Streams')).status).toBe(503)
  await hub.close()
})
