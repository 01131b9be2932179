import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { type Answer, ApiClient } from '../../../gateway/test/support/api-client.ts'
import { SERVICE, served } from '../../../gateway/test/support/served-gateway.ts'
import document from '../../src/rest/openapi.json' with { type: 'json' }

const SERVICE_LIST = '/v1/Services'
const SERVICE_PATH = '/v1/Services/{service}'
const STREAMS = `${SERVICE_PATH}/Streams`
const STREAM = `${STREAMS}/{stream}`
const MESSAGES = `${STREAM}/Messages`

const ajv = new Ajv2020({ strict: false, validateFormats: false })
ajv.addSchema(document, 'openapi')

type Json = Record<string, unknown>

/** Follows a path of keys into the document, through references. */
function at(...keys: string[]): Json {
  let node = document as unknown as Json
  for (const key of keys) {
    node = node[key] as Json
    const reference = node?.$ref
    if (typeof reference === 'string') node = at(...reference.slice(2).split('/'))
  }
  return node
}

/** Lists what an answer has that the document does not say. */
function differences(path: string, method: string, { status, body }: Answer): unknown {
  const response = at('paths', path, method, 'responses', String(status))
  if (response === undefined) return `${status} is not documented`
  const { content } = response as { content?: Json }
  if (content === undefined) return body === undefined ? undefined : 'there is a body'
  const { schema } = content['application/json'] as { schema: Json }
  const validate = ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/')))
  return validate(body) ? undefined : validate.errors
}

test('the document is valid OpenAPI 3.1, and is served without keys', async () => {
  const { url } = await served()
  const response = await fetch(`${url}/openapi.json`)
  expect(response.headers.get('content-type')).toBe('application/json')
  const served31 = (await response.json()) as Json
  expect(served31).toEqual(document)
  const validator = new Validator()
  expect(await validator.validate(served31)).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
})

test('what is answered is as the document says', async () => {
  const { url, hub } = await served({ limits: { listeners: { maxPerKey: 1 } } })
  hub.stream('limited', { limit: { ratePerSecond: 0.01, burst: 1 } })
  const api = new ApiClient(url)
  const list = `${url}${STREAMS.replace('{service}', SERVICE)}`
  const sse = (id: string) => api.send('GET', api.messagesOf(id))
  const asked: [path: string, method: string, answer: Answer, status: number][] = [
    [STREAMS, 'post', await api.create({ UniqueName: 'limited', Ttl: '60' }), 201],
    [STREAMS, 'post', await api.create(), 201],
    [STREAMS, 'post', await api.create({ UniqueName: 'limited' }), 409],
    [STREAMS, 'post', await api.create({ Ttl: 'x' }), 400],
    [STREAMS, 'post', await new ApiClient(url, {}).create(), 401],
    [STREAMS, 'post', await api.send('POST', list, { UniqueName: 'x'.repeat(70_000) }), 413],
    [STREAMS, 'post', await api.send('POST', list, {}, { 'content-type': 'text/plain' }), 201],
    [STREAMS, 'post', await api.send('POST', list, { Ttl: '1' }, { 'content-type': 'text/plain' }), 415],
    [SERVICE_LIST, 'get', await api.send('GET', `${url}${SERVICE_LIST}`), 200],
    [SERVICE_PATH, 'get', await api.send('GET', `${url}${SERVICE_LIST}/default`), 200],
    [SERVICE_PATH, 'get', await api.send('GET', `${url}${SERVICE_LIST}/none`), 404],
    [STREAMS, 'get', await api.list('?PageSize=1'), 200],
    [STREAMS, 'get', await api.list('?PageSize=0'), 400],
    [STREAM, 'get', await api.fetch('limited'), 200],
    [STREAM, 'get', await api.fetch('nothing'), 404],
    [STREAM, 'post', await api.update('limited', { Ttl: '' }), 200],
    [STREAM, 'post', await api.update('limited', {}), 400],
    [MESSAGES, 'post', await api.publish('limited', { n: 1 }), 201],
    [MESSAGES, 'post', await api.publish('limited', { n: 1 }), 429],
    [MESSAGES, 'post', await api.publish('nothing', {}), 404],
    [MESSAGES, 'get', await sse('limited'), 405],
    [STREAM, 'delete', await api.remove('limited'), 204],
    ['/healthz', 'get', await api.send('GET', `${url}/healthz`), 200],
    ['/livez', 'get', await api.send('GET', `${url}/livez`), 200],
    ['/readyz', 'get', await api.send('GET', `${url}/readyz`), 200],
  ]
  for (const [path, method, answer, status] of asked) {
    expect([path, method, answer.status]).toEqual([path, method, status])
    expect([path, method, status, differences(path, method, answer)]).toEqual([
      path,
      method,
      status,
      undefined,
    ])
  }
})
