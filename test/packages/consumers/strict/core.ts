import { memoryBus } from '@rivulet/memory'
import { threads } from '@rivulet/threads'
import { websocket } from '@rivulet/websocket'
import { PROTOCOL_VERSION } from '@rivulet/websocket/protocol'
import { createHub, type Hub, RivuletError, type StandardSchemaV1, type Transport } from 'rivulet'
import { makeTransport } from 'rivulet/adapter'
import { testTransport } from 'rivulet/testing'

type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
type ReadonlyJson =
  | string
  | number
  | boolean
  | null
  | readonly ReadonlyJson[]
  | { readonly [key: string]: ReadonlyJson }

export const hub: Hub = createHub({ name: undefined, transport: memoryBus({ seed: undefined }).transport() })
const documents = hub.stream<{ id: number; at: Date; meta: JsonValue }>('documents', { limit: undefined })
documents.publish({ id: 1, at: new Date(), meta: { list: [1, { deep: [null, 'text'] }] } })
export const subscription = documents.subscribe(({ data }) => {
  const meta: ReadonlyJson = data.meta
  const at: string = data.at
  return [meta, at]
})
// @ts-expect-error: a function is no JSON.
documents.publish({ id: 1, at: new Date(), meta: [() => 1] })

/** An iterator goes where the language wants one. */
export const iterator: AsyncIterableIterator<{ readonly sid: string }> = documents.iterate({
  signal: undefined,
})

declare const schema: StandardSchemaV1<{ n: string }, { n: number }>
hub.stream('numbers', { schema }).subscribe(({ data }) => data.n.toFixed())

export const transports: Transport[] = [
  threads({ name: undefined }),
  websocket({ url: 'wss://sync.example', token: undefined }),
  makeTransport({
    name: 'own',
    capabilities: () => hubCapabilities(),
    async connect(_host, signal) {
      signal.throwIfAborted()
      throw new RivuletError('TRANSPORT_FAILED', 'none', { stream: undefined })
    },
  }),
]
declare function hubCapabilities(): Transport['capabilities']

export const others = { PROTOCOL_VERSION, testTransport }
