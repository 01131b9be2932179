import { EventEmitter } from 'node:events'
import { Bus } from '@boringnode/bus'
import { MemoryTransport } from '@boringnode/bus/transports/memory'
import { MqttTransport } from '@boringnode/bus/transports/mqtt'
import { connect as connectNats } from '@nats-io/transport-node'
import { createClient as createRedisClient } from '@redis/client'
import { Redis as IoRedis } from 'ioredis'
import { connectAsync as connectMqtt } from 'mqtt'
import { openHub } from '../bundle.mjs'
import { HIGH_LIMIT } from '../limit.mjs'

/**
 * A client that sends messages from one process to another. `publisher` is called once per topic and returns the
 * function that publishes; `subscribe` resolves when later messages will arrive, and calls `listener` with the data.
 * @typedef {object} Client
 * @property {string} name
 * @property {'rivulet' | 'contract' | 'bare' | 'floor'} group
 * @property {(url: string, maxBytes: number) => Promise<{
 *   publisher(topic: string): (data: object) => unknown,
 *   subscribe(topic: string, listener: (data: object) => void): Promise<unknown>,
 *   close(): unknown,
 * }>} connect
 */

/** @type {Client} */
const rivulet = {
  ...{ name: 'Rivulet', group: 'rivulet' },
  async connect(url, maxBytes) {
    return connectionOf(await openHub({ transport: url, streamDefaults: { limit: HIGH_LIMIT, maxBytes } }))
  },
}

function connectionOf(hub) {
  return {
    publisher(topic) {
      const stream = hub.stream(topic)
      return (data) => stream.publish(data)
    },
    subscribe: (topic, listener) => hub.stream(topic).subscribe((message) => listener(message.data)).ready,
    close: () => hub.close(),
  }
}

/** @type {Client} */
const bareNats = {
  ...{ name: 'bare @nats-io/transport-node + JSON', group: 'bare' },
  async connect(url) {
    const connection = await connectNats({
      servers: url.replace(/^\w+:\/\//, ''),
      ...(url.startsWith('tls:') && { tls: {} }),
    })
    return {
      publisher: (topic) => (data) => connection.publish(topic, JSON.stringify(data)),
      async subscribe(topic, listener) {
        connection.subscribe(topic, { callback: (_error, message) => listener(JSON.parse(message.string())) })
        await connection.flush()
      },
      close: () => connection.close(),
    }
  },
}

/** @type {Client} */
const bareMqtt = {
  ...{ name: 'bare mqtt + JSON', group: 'bare' },
  async connect(url) {
    const client = await connectMqtt(url, { protocolVersion: 5 })
    const listeners = new Map()
    client.on('message', (topic, payload) => listeners.get(topic)?.(JSON.parse(payload.toString())))
    return {
      publisher: (topic) => (data) => client.publish(topic, JSON.stringify(data)),
      subscribe(topic, listener) {
        listeners.set(topic, listener)
        return client.subscribeAsync(topic)
      },
      close: () => client.end(true),
    }
  },
}

/** One connection publishes and subscribes. @type {Client} */
const bareRedis = {
  ...{ name: 'bare @redis/client + JSON', group: 'bare' },
  async connect(url) {
    const client = await createRedisClient({ url: redisUrl(url) }).connect()
    return {
      publisher: (topic) => (data) => client.publish(topic, JSON.stringify(data)),
      subscribe: (topic, listener) => client.subscribe(topic, (text) => listener(JSON.parse(text))),
      close: () => client.destroy(),
    }
  },
}

/** Uses the older protocol, in which a connection that subscribes cannot publish. @type {Client} */
const ioRedis = {
  ...{ name: 'ioredis + JSON', group: 'bare' },
  async connect(url) {
    const [publishing, subscribing] = [new IoRedis(redisUrl(url)), new IoRedis(redisUrl(url))]
    const listeners = new Map()
    subscribing.on('message', (topic, text) => listeners.get(topic)?.(JSON.parse(text)))
    return {
      publisher: (topic) => (data) => publishing.publish(topic, JSON.stringify(data)),
      subscribe(topic, listener) {
        listeners.set(topic, listener)
        return subscribing.subscribe(topic)
      },
      close() {
        for (const client of [publishing, subscribing]) client.disconnect()
      },
    }
  },
}

/** Replaces `valkey:`, which the rivals do not know. */
function redisUrl(url) {
  return url.replace(/^valkey/, 'redis')
}

/** By default it connects twice with one client id, and the two disconnect each other for seconds. */
class SteadyMqttTransport extends MqttTransport {
  onReconnect() {}
}

/** @type {Client} */
const boringMqtt = {
  ...{ name: '@boringnode/bus', group: 'bare' },
  async connect(url) {
    const { hostname, port, protocol } = new URL(url)
    return busOf(
      new Bus(
        new SteadyMqttTransport({
          host: hostname,
          port: Number(port) || 1883,
          protocol: protocol.slice(0, -1),
        }),
      ),
    )
  },
}

/** @type {Client} */
const boringMemory = {
  ...{ name: '@boringnode/bus', group: 'bare' },
  async connect() {
    const transport = new MemoryTransport()
    const bus = busOf(new Bus(transport))
    const subscribe = (topic, listener) =>
      bus.subscribe(topic, (data) => {
        transport.receivedMessages.length = 0 // it keeps every message for its users' tests
        listener(data)
      })
    return { ...bus, subscribe }
  },
}

function busOf(bus) {
  return {
    publisher: (topic) => (data) => bus.publish(topic, data),
    subscribe: (topic, listener) => bus.subscribe(topic, listener),
    close: () => bus.disconnect(),
  }
}

// Emitters by the name of the bus, as the memory bus has its hubs by name.
const emitters = new Map()

/** The solution without a bus: JSON in both directions, delivered in a microtask. @type {Client} */
const emitterJson = {
  ...{ name: 'Node EventEmitter + JSON, in a microtask', group: 'contract' },
  async connect(url) {
    if (!emitters.has(url)) emitters.set(url, new EventEmitter().setMaxListeners(0))
    const emitter = emitters.get(url)
    return {
      publisher: (topic) => (data) => {
        const text = JSON.stringify(data)
        queueMicrotask(() => emitter.emit(topic, text))
      },
      subscribe: async (topic, listener) => void emitter.on(topic, (text) => listener(JSON.parse(text))),
      close: () => emitters.delete(url),
    }
  },
}

/** One channel for each topic: the solution without a bus. @type {Client} */
const bareChannel = {
  ...{ name: 'bare BroadcastChannel + JSON', group: 'bare' },
  async connect() {
    const channels = []
    const open = (topic) => {
      const channel = new BroadcastChannel(topic)
      channels.push(channel)
      return channel
    }
    return {
      publisher(topic) {
        const channel = open(topic)
        return (data) => channel.postMessage(JSON.stringify(data))
      },
      subscribe: async (topic, listener) => {
        open(topic).onmessage = (event) => listener(JSON.parse(event.data))
      },
      close() {
        for (const channel of channels) channel.close()
      },
    }
  },
}

/** Rivulet first, and then the alternatives of a user of that backend. @type {Record<string, Client[]>} */
export const CLIENTS = {
  memory: [rivulet, emitterJson, boringMemory],
  nats: [rivulet, bareNats],
  mqtt: [rivulet, bareMqtt, boringMqtt],
  redis: [rivulet, bareRedis, ioRedis],
  threads: [rivulet, bareChannel],
}

/** Names the backend of a URL. */
export function backendOf(url) {
  const scheme = url.slice(0, url.indexOf(':'))
  if (/^(redis|valkey)s?$/.test(scheme)) return 'redis'
  return { nats: 'nats', tls: 'nats', mqtt: 'mqtt', mqtts: 'mqtt', memory: 'memory', threads: 'threads' }[
    scheme
  ]
}
