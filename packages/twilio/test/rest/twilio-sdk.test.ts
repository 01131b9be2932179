import twilio from 'twilio'
import { describe, expect, test } from 'vitest'
import { ACCOUNT, SERVICE, served, TOKEN } from '../../../gateway/test/support/served-gateway.ts'

/** The official SDK, with one line changed. */
async function sync(token = TOKEN, service = SERVICE) {
  const { url, hub } = await served()
  const client = twilio(ACCOUNT, token)
  client.sync.baseUrl = url
  return { hub, service: client.sync.v1.services(service) }
}

describe('the official server SDK', () => {
  test('creates a stream, fetches it by name and by sid, and changes its time to live', async () => {
    const { service } = await sync()
    const created = await service.syncStreams.create({ uniqueName: 'positions', ttl: 60 })
    expect(created).toMatchObject({
      uniqueName: 'positions',
      accountSid: ACCOUNT,
      serviceSid: SERVICE,
      createdBy: 'system',
      sid: expect.stringMatching(/^TO[0-9a-f]{32}$/),
    })
    expect(Math.round((created.dateExpires.getTime() - created.dateCreated.getTime()) / 1000)).toBe(60)

    for (const id of ['positions', created.sid]) {
      expect((await service.syncStreams(id).fetch()).sid).toBe(created.sid)
    }
    expect((await service.syncStreams('positions').update({ ttl: 0 })).dateExpires).toBeNull()
    expect((await service.syncStreams(created.sid).fetch()).dateExpires).toBeNull()
  })

  test('creates an anonymous stream without arguments', async () => {
    const { service } = await sync()
    const stream = await service.syncStreams.create()
    expect(stream.uniqueName).toBeNull()
    const name = `anonymous/${stream.sid.slice(2)}`
    await expect(service.syncStreams(encodeURIComponent(name)).fetch()).rejects.toMatchObject({ code: 20404 })
    await expect(service.syncStreams.create({ uniqueName: name })).rejects.toMatchObject({ code: 54302 })
    expect((await service.syncStreams(stream.sid).fetch()).sid).toBe(stream.sid)
  })

  test('publishes through the stream of the hub', async () => {
    const { service, hub } = await sync()
    await service.syncStreams.create({ uniqueName: 'positions' })
    const heard: unknown[] = []
    hub.stream('positions').subscribe((message) => heard.push(message.toJSON()))
    const data = { id: 'bob & +é', x: 256, nested: [1, null] }
    const message = await service.syncStreams('positions').streamMessages.create({ data })
    expect(message.sid).toMatch(/^TZ[0-9a-f]{32}$/)
    expect(message.data).toEqual(data)
    expect(heard).toEqual([{ sid: message.sid, data }])
  })

  test('reaches the first service as default', async () => {
    const { service } = await sync(TOKEN, 'default')
    expect((await service.syncStreams.create({ uniqueName: 'a' })).serviceSid).toBe(SERVICE)
  })

  test('lists over several pages', async () => {
    const { service } = await sync()
    const names = Array.from({ length: 205 }, (_, number) => `stream-${number}`)
    for (const uniqueName of names) await service.syncStreams.create({ uniqueName })
    const all = await service.syncStreams.list({ limit: 1000 })
    expect(all.map((stream) => stream.uniqueName)).toHaveLength(205)
    expect(new Set(all.map((stream) => stream.uniqueName))).toEqual(new Set(names))

    const first = await service.syncStreams.page({ pageSize: 100 })
    const second = await first.nextPage()
    const third = await second?.nextPage()
    expect([first, second, third].map((page) => page?.instances.length)).toEqual([100, 100, 5])
    expect(await third?.nextPage()).toBeUndefined()
    const back = await third?.previousPage()
    expect(back?.instances.map(({ sid }) => sid)).toEqual(second?.instances.map(({ sid }) => sid))
    expect((await service.syncStreams.list({ pageSize: 50 })).length).toBe(205)
  })

  test('removes a stream', async () => {
    const { service } = await sync()
    await service.syncStreams.create({ uniqueName: 'positions' })
    expect(await service.syncStreams('positions').remove()).toBe(true)
    await expect(service.syncStreams('positions').fetch()).rejects.toMatchObject({ code: 20404, status: 404 })
    await expect(service.syncStreams('positions').remove()).rejects.toMatchObject({
      code: 20404,
      status: 404,
    })
    await service.syncStreams.create({ uniqueName: 'positions' })
  })
})

describe('the official server SDK is told', () => {
  test('of a stream and a service that are missing', async () => {
    const { service } = await sync()
    const missing = { code: 20404, status: 404 }
    await expect(service.syncStreams('nowhere').fetch()).rejects.toMatchObject(missing)
    await expect(service.syncStreams('nowhere').streamMessages.create({ data: {} })).rejects.toMatchObject(
      missing,
    )
    const other = await sync(TOKEN, `IS${'3'.repeat(32)}`)
    await expect(other.service.syncStreams.create()).rejects.toMatchObject(missing)
  })

  test('of a name that is taken, and of bad names', async () => {
    const { service } = await sync()
    await service.syncStreams.create({ uniqueName: 'positions' })
    const create = (uniqueName: string) => service.syncStreams.create({ uniqueName })
    await expect(create('positions')).rejects.toMatchObject({ code: 54301, status: 409 })
    for (const name of [`TO${'a'.repeat(32)}`, `TO${'A'.repeat(32)}`, 'x'.repeat(321), '']) {
      await expect(create(name)).rejects.toMatchObject({ code: 54302, status: 400 })
    }
  })

  test('of a bad time to live, and of nothing to update', async () => {
    const { service } = await sync()
    await service.syncStreams.create({ uniqueName: 'positions' })
    const stream = service.syncStreams('positions')
    for (const ttl of [-1, 31_536_001, 1.5]) {
      await expect(service.syncStreams.create({ ttl })).rejects.toMatchObject({ code: 54011, status: 400 })
      await expect(stream.update({ ttl })).rejects.toMatchObject({ code: 54011, status: 400 })
    }
    await expect(stream.update()).rejects.toMatchObject({ code: 54010, status: 400 })
  })

  test('of data that is too large, no JSON, no object, or missing', async () => {
    const { service } = await sync()
    await service.syncStreams.create({ uniqueName: 'positions' })
    const publish = (data: unknown) => service.syncStreams('positions').streamMessages.create({ data })
    const text = (bytes: number) => ({ s: 'x'.repeat(bytes - '{"s":""}'.length) })
    expect((await publish(text(4096))).sid).toMatch(/^TZ/)
    await expect(publish(text(4097))).rejects.toMatchObject({ code: 54006, status: 413 })
    await expect(publish(text(70_000))).rejects.toMatchObject({ code: 54006, status: 413 })
    for (const data of ['hello', '{"a":', 5, [1, 2], 'null']) {
      await expect(publish(data)).rejects.toMatchObject({ code: 54008, status: 400 })
    }
    await expect(publish('')).rejects.toMatchObject({ code: 54251, status: 400 })
  })

  test('of a rate that is too high', async () => {
    const { service, hub } = await sync()
    await service.syncStreams.create({ uniqueName: 'positions' })
    hub.stream('positions', { limit: { ratePerSecond: 0.001, burst: 2 } })
    const publish = () => service.syncStreams('positions').streamMessages.create({ data: { a: 1 } })
    await publish()
    await publish()
    await expect(publish()).rejects.toMatchObject({ code: 54009, status: 429 })
    expect(hub.ledger()).toMatchObject({ accepted: 2, refused: { rateLimited: 1 } })
  })

  test('of a wrong password', async () => {
    const { service } = await sync('wrong')
    await expect(service.syncStreams.create()).rejects.toMatchObject({ code: 20003, status: 401 })
  })
})
