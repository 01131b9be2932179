import { expect, onTestFinished, test } from 'vitest'
import { startNats } from '../../../test/support/brokers.ts'
import { bundleProgram } from '../../../test/support/bundle-program.ts'
import { startScript } from '../../../test/support/program.ts'
import type { PlainSpan } from './recorded-spans.ts'

const PROGRAM = bundleProgram('packages/otel/test/traced-process.ts')

test('the spans of a publish and of its delivery in another process link, over NATS', async () => {
  const broker = await startNats()
  onTestFinished(() => broker.close())
  const receiver = startScript(PROGRAM, ['receive', broker.url])
  onTestFinished(() => receiver.kill())
  await receiver.line('ready')
  const publisher = startScript(PROGRAM, ['publish', broker.url])
  onTestFinished(() => publisher.kill())

  const [publish, ...others] = await publisher.json<PlainSpan[]>('spans ')
  const [process, ...further] = await receiver.json<PlainSpan[]>('spans ')
  expect([others, further]).toEqual([[], []])
  expect(publish).toMatchObject({ name: 'publish positions', kind: 'PRODUCER', links: [] })
  expect(process).toMatchObject({
    name: 'process positions',
    kind: 'CONSUMER',
    links: [{ traceId: publish?.traceId, spanId: publish?.spanId }],
  })
  expect(process?.parentId).toBeUndefined()
  expect(process?.attributes['messaging.message.id']).toBe(publish?.attributes['messaging.message.id'])
  expect((await publisher.ended).code).toBe(0)
  expect((await receiver.ended).code).toBe(0)
})
