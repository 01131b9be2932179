import twilio from 'twilio'
import { expect, test } from 'vitest'
import { createHub } from '../../../../src/index.ts'
import { ApiClient, basic } from '../../../gateway/test/support/api-client.ts'
import { ACCOUNT, SERVICE, served, TOKEN } from '../../../gateway/test/support/served-gateway.ts'

const OTHER = `IS${'3'.repeat(32)}`
const KEY = { sid: `SK${'4'.repeat(32)}`, secret: 'a secret' }

function twilioAt(url: string) {
  const client = twilio(ACCOUNT, TOKEN)
  client.sync.baseUrl = url
  return client.sync.v1.services
}

test('services can be read with the official SDK, by sid and as default', async () => {
  const { url, hub } = await served()
  const services = twilioAt(url)
  const service = await services(SERVICE).fetch()
  expect(service).toMatchObject({ sid: SERVICE, accountSid: ACCOUNT, uniqueName: 'default' })
  expect(service).toMatchObject({ friendlyName: hub.name, url: `${url}/v1/Services/${SERVICE}` })
  expect(service.links).toEqual({ streams: `${url}/v1/Services/${SERVICE}/Streams` })
  expect(service.dateCreated).toBeInstanceOf(Date)
  expect((await services('default').fetch()).sid).toBe(SERVICE)
  expect((await services.list()).map(({ sid }) => sid)).toEqual([SERVICE])
  await expect(services(OTHER).fetch()).rejects.toMatchObject({ status: 404, code: 20404 })
})

test('services show only to keys that may manage them', async () => {
  const services = { [SERVICE]: createHub(), [OTHER]: createHub({ name: 'other' }) }
  const grants = [{ service: OTHER, allow: ['manage' as const] }]
  const publisher = { sid: `SK${'5'.repeat(32)}`, secret: 'b', grants: [{ allow: ['publish' as const] }] }
  const keys = [{ ...KEY, grants }, publisher]
  const { url } = await served({ services, keys })
  const api = new ApiClient(url, basic(KEY.sid, KEY.secret))
  const list = await api.send('GET', `${url}/v1/Services`)
  expect(list.body.services).toMatchObject([{ sid: OTHER, unique_name: null, friendly_name: 'other' }])
  expect(list.body.meta).toMatchObject({ key: 'services', next_page_url: null })
  expect((await api.send('GET', `${url}/v1/Services/${SERVICE}`)).body.code).toBe(20403)
  const other = new ApiClient(url, basic(publisher.sid, publisher.secret))
  expect((await other.send('GET', `${url}/v1/Services`)).body.code).toBe(20403)
})

test('services cannot be made, changed or removed', async () => {
  const { url } = await served()
  const api = new ApiClient(url)
  const paths = ['/v1/Services', `/v1/Services/${SERVICE}`]
  for (const path of paths) {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const answer = await api.send(method, `${url}${path}`)
      expect(answer.status).toBe(405)
      expect(answer.headers.get('allow')).toBe('GET')
    }
  }
})
