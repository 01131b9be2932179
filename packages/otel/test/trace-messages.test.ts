import { channel } from 'node:diagnostics_channel'
import { context, SpanStatusCode, trace } from '@opentelemetry/api'
import { AlwaysOffSampler, BasicTracerProvider } from '@opentelemetry/sdk-trace-base'
import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, type Message } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../../test/support/wait-for.ts'
import { type TraceOptions, traceMessages } from '../src/index.ts'
import { enableContexts, type PlainSpan, RecordedSpans } from './recorded-spans.ts'

function closing(hub: Hub): Hub {
  onTestFinished(async () => void (await hub.close()))
  return hub
}

function tracing(options: TraceOptions = {}) {
  const recorded = new RecordedSpans()
  const messages = traceMessages({ tracerProvider: recorded.provider, ...options })
  onTestFinished(() => messages.stop())
  return { recorded, messages }
}

const RIVULET = { 'messaging.system.name': 'rivulet', 'rivulet.hub.name': 'fleet' }
const SENDING = { 'messaging.operation.name': 'publish', 'messaging.operation.type': 'send' }
const PROCESSING = { 'messaging.operation.name': 'process', 'messaging.operation.type': 'process' }
const template = (name: string) => (name.startsWith('orders/') ? 'orders/{id}' : undefined)

test('a delivery in the same process is a child of the publish', () => {
  const { recorded } = tracing({ destinationTemplate: template })
  const hub = closing(createHub({ name: 'fleet' }))
  const stream = hub.stream('orders/17')
  stream.subscribe(() => {})
  const { sid } = stream.publish({ n: 1 })
  const own = {
    'messaging.destination.name': 'orders/17',
    'messaging.destination.template': 'orders/{id}',
    'messaging.message.id': sid,
  }
  const publish = recorded.only('publish orders/{id}')
  const process = recorded.only('process orders/{id}')
  expect(publish).toMatchObject({ kind: 'PRODUCER', parentId: undefined, links: [] })
  expect(publish.attributes).toEqual({ ...RIVULET, ...SENDING, ...own })
  expect(process).toMatchObject({
    kind: 'CONSUMER',
    traceId: publish.traceId,
    parentId: publish.spanId,
    links: [],
  })
  expect(process.attributes).toEqual({ ...RIVULET, ...PROCESSING, ...own })
  expect(recorded.spans).toHaveLength(2)
})

test('a delivery through a transport is the root of its trace, linked to the publish', async () => {
  const { recorded } = tracing()
  const bus = memoryBus()
  const [near, far] = [1, 2].map(() => closing(createHub({ name: 'fleet', transport: bus.transport() })))
  await near?.ready()
  await far?.stream('positions').subscribe(() => {}).ready
  near?.stream('positions').publish({ n: 1 })
  await near?.flush()
  await waitFor(() => recorded.only('process'))
  const publish = recorded.only('publish')
  const process = recorded.only('process')
  expect(process.parentId).toBeUndefined()
  expect(process.traceId).not.toBe(publish.traceId)
  expect(process.links).toEqual([{ traceId: publish.traceId, spanId: publish.spanId }])
  expect(process.attributes['messaging.message.id']).toBe(publish.attributes['messaging.message.id'])
})

test('a publish is a child of the active span, and a delivery is not', () => {
  onTestFinished(enableContexts())
  const { recorded } = tracing()
  const stream = closing(createHub()).stream('positions')
  stream.subscribe(() => {})
  const span = recorded.provider.getTracer('mine').startSpan('mine')
  context.with(trace.setSpan(context.active(), span), () => stream.publish({ n: 1 }))
  span.end()
  expect(recorded.only('publish').parentId).toBe(span.spanContext().spanId)
  expect(recorded.only('process').parentId).toBe(recorded.only('publish').spanId)
})

test("a publish that waited is a child of its own call's span", async () => {
  onTestFinished(enableContexts())
  const { recorded } = tracing()
  const limit = { ratePerSecond: 100, burst: 1 }
  const stream = closing(createHub()).stream<{ n: number }>('positions', { limit })
  stream.subscribe(() => {})
  stream.publish({ n: 0 })
  const spans = [1, 2, 3].map((n) => recorded.provider.getTracer('mine').startSpan(`call ${n}`))
  const waits = spans.map((span, n) =>
    context.with(trace.setSpan(context.active(), span), () => stream.publishWhenReady({ n })),
  )
  const sids = (await Promise.all(waits)).map(({ sid }) => sid)
  const spansOf = (name: string) =>
    sids.map((sid) => {
      const isOfIt = ({ attributes }: PlainSpan) => attributes['messaging.message.id'] === sid
      return recorded.spans.find((span) => span.name === name && isOfIt(span))
    })
  expect(spansOf('publish').map((span) => span?.parentId)).toEqual(
    spans.map((span) => span.spanContext().spanId),
  )
  expect(spansOf('process').map((span) => span?.parentId)).toEqual(
    spansOf('publish').map((span) => span?.spanId),
  )
})

test('a subscriber gets the context of its delivery, at once and later', async () => {
  onTestFinished(enableContexts())
  const { recorded, messages } = tracing()
  const stream = closing(createHub()).stream('positions')
  const tracer = recorded.provider.getTracer('mine')
  const work = (name: string, message: Message) =>
    context.with(messages.contextOf(message), () => tracer.startSpan(name).end())
  stream.subscribe((message) => work('at once', message))
  const iterator = stream.iterate()
  stream.publish({ n: 1 })
  const { value } = await iterator.next()
  work('later', value as Message)
  const { spanId } = recorded.only('process')
  expect([recorded.only('at once').parentId, recorded.only('later').parentId]).toEqual([spanId, spanId])
})

test('a refused attempt has the code of its error, whatever verb was used', async () => {
  const { recorded } = tracing()
  const stream = closing(createHub({ name: 'fleet' })).stream('positions', {
    limit: { ratePerSecond: 0, burst: 1 },
    maxWaiting: 0,
  })
  stream.subscribe(() => {})
  stream.tryPublish([] as never)
  expect(() => stream.publish([] as never)).toThrow()
  await expect(stream.publishWhenReady({ text: 'x'.repeat(5000) })).rejects.toBeInstanceOf(Error)
  stream.publish({ n: 1 })
  stream.tryPublish({ n: 2 })
  const attempts = recorded.spans.filter(({ name }) => name === 'publish')
  expect(attempts.map(({ attributes, status }) => [attributes['error.type'], status.code])).toEqual([
    ['INVALID_DATA', SpanStatusCode.ERROR],
    ['INVALID_DATA', SpanStatusCode.ERROR],
    ['PAYLOAD_TOO_LARGE', SpanStatusCode.ERROR],
    [undefined, SpanStatusCode.UNSET],
    ['RATE_LIMITED', SpanStatusCode.ERROR],
  ])
  expect(attempts.at(-1)?.status.message).toContain('(stream "positions" of hub "fleet")')
  expect(attempts.at(-1)?.attributes['messaging.message.id']).toBeUndefined()
  expect(recorded.spans.filter(({ name }) => name === 'process')).toHaveLength(1)
})

test('a subscriber that throws ends no span early, and its messages have own spans', () => {
  const { recorded } = tracing({ destinationTemplate: (name) => name })
  const hub = closing(createHub())
  hub.on('error', () => {})
  hub.stream('a').subscribe(() => {
    hub.stream('b').publish({ n: 2 })
    throw new Error('mine')
  })
  hub.stream('b').subscribe(() => {})
  hub.stream('a').publish({ n: 1 })
  const parentOf = (name: string) => recorded.only(name).parentId
  expect(parentOf('process a')).toBe(recorded.only('publish a').spanId)
  expect(parentOf('process b')).toBe(recorded.only('publish b').spanId)
  expect(recorded.spans).toHaveLength(4)
})

test('a span with an empty template is named like one without a template', () => {
  const { recorded } = tracing({ destinationTemplate: () => '' })
  closing(createHub()).stream('positions').publish({ n: 1 })
  const { attributes } = recorded.only('publish')
  expect(attributes).not.toHaveProperty('messaging.destination.template')
})

test("an unsampled span, or another subscriber's traceparent, is propagated", () => {
  const provider = new BasicTracerProvider({ sampler: new AlwaysOffSampler() })
  const heard: unknown[] = []
  const hear = (event: unknown) => heard.push((event as { traceparent?: string }).traceparent)
  channel('tracing:rivulet.process:start').subscribe(hear)
  onTestFinished(() => void channel('tracing:rivulet.process:start').unsubscribe(hear))
  tracing({ tracerProvider: provider })
  const stream = closing(createHub()).stream('positions')
  stream.subscribe(() => {})
  stream.publish({ n: 1 })
  expect(heard[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)

  const given = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
  const set = (event: unknown) => Object.assign(event as object, { traceparent: given })
  channel('tracing:rivulet.publish:start').subscribe(set)
  onTestFinished(() => void channel('tracing:rivulet.publish:start').unsubscribe(set))
  stream.publish({ n: 2 })
  expect(heard[1]).toBe(given)
})

test('two tracers make spans of their own, which belong together', () => {
  const one = tracing()
  const other = tracing()
  const stream = closing(createHub()).stream('positions')
  stream.subscribe(() => {})
  stream.publish({ n: 1 })
  expect([one, other].map(({ recorded }) => recorded.spans.length)).toEqual([2, 2])
  const { spanId } = one.recorded.only('publish')
  expect(other.recorded.only('process').parentId).toBe(spanId)
})

test('without an SDK no traceparent is sent, and the data is the same', () => {
  const messages = traceMessages()
  onTestFinished(() => messages.stop())
  const heard: unknown[] = []
  const hear = (event: unknown) => heard.push((event as { traceparent?: string }).traceparent)
  channel('tracing:rivulet.process:start').subscribe(hear)
  onTestFinished(() => void channel('tracing:rivulet.process:start').unsubscribe(hear))
  const stream = closing(createHub()).stream('positions')
  stream.subscribe(() => {})
  stream.publish({ n: 1 })
  expect(heard).toEqual([undefined])
})

test('no span is made after the end, and those that have begun are ended', () => {
  const { recorded, messages } = tracing()
  const stream = closing(createHub()).stream('positions')
  stream.subscribe(() => messages.stop())
  stream.publish({ n: 1 })
  expect(recorded.spans.map(({ name }) => name).sort()).toEqual(['process', 'publish'])
  messages.stop()
  stream.publish({ n: 2 })
  expect(recorded.spans).toHaveLength(2)
  const channels = ['publish', 'process'].flatMap((name) =>
    ['start', 'end', 'error'].map((event) => channel(`tracing:rivulet.${name}:${event}`)),
  )
  expect(channels.filter(({ hasSubscribers }) => hasSubscribers)).toEqual([])
})

test('refuses unknown options, and those of another type', () => {
  for (const options of [{ tracer: {} }, { destinationTemplate: 'orders' }]) {
    expect(() => traceMessages(options as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS' }),
    )
  }
})
