import { connect as connectNats } from '@nats-io/transport-node'
import { createClient as createRedisClient } from '@redis/client'
import { connectAsync as connectMqtt, type MqttClient } from 'mqtt'
import { CommandError } from '../base/exit-code.ts'
import type { BenchClient, BenchPlace } from './bench-client.ts'
import type { BenchData } from './payload.ts'

/** The part of a bare client that differs by broker. */
interface BareConnection {
  publish(topic: string, text: string): void
  subscribe(topic: string, listener: (text: string) => void): Promise<unknown>
  flush(): Promise<unknown>
  close(): Promise<unknown>
}

interface BareKind {
  /** The package. */
  readonly name: string
  readonly schemes: RegExp
  readonly connect: (url: URL) => Promise<BareConnection>
}

const KINDS: readonly BareKind[] = [
  { name: '@nats-io/transport-node', schemes: /^(nats|tls):$/, connect: nats },
  { name: 'mqtt', schemes: /^mqtts?:$/, connect: mqtt },
  { name: '@redis/client', schemes: /^(redis|valkey)s?:$/, connect: redis },
]

/** Names the bare client for a broker's URL. Throws without one, and when it can't take a parameter of the URL. */
export function bareClientName(urls: readonly string[]): string {
  const url = urlOf(urls)
  const { name } = kindOf(url)
  const ignored = [...url.searchParams.keys()].filter((key) => key !== 'name' && key !== 'protocol')
  if (ignored.length > 0) {
    throw new CommandError(
      `The bare client is not told ${ignored.join(', ')} of the URL; leave --compare out.`,
    )
  }
  return name
}

/** Connects with the bare client for a broker's URL, which sends the bench's messages as JSON. */
export async function openBareClient({ urls, hub }: BenchPlace): Promise<BenchClient> {
  const url = urlOf(urls)
  const connection = await kindOf(url).connect(url)
  const prefix = `rivulet/${hub ?? url.searchParams.get('name') ?? 'default'}/`
  const counts = { published: 0, received: 0 }
  return {
    publisher(stream) {
      const topic = `${prefix}${stream}`
      return (data) => {
        counts.published += 1
        connection.publish(topic, JSON.stringify(data))
      }
    },
    async subscribe(stream, listener) {
      await connection.subscribe(`${prefix}${stream}`, (text) => {
        counts.received += 1
        listener(JSON.parse(text) as BenchData)
      })
    },
    flush: async () => void (await connection.flush()),
    async close() {
      await connection.close()
      return { ...counts, refusals: [] }
    },
  }
}

function urlOf([first = '', ...others]: readonly string[]): URL {
  if (others.length > 0)
    throw new CommandError('--compare takes one URL: the bare client is given one server.')
  return new URL(first)
}

function kindOf({ protocol }: URL): BareKind {
  const kind = KINDS.find(({ schemes }) => schemes.test(protocol))
  if (kind !== undefined) return kind
  throw new CommandError(
    `There is no bare client to compare with for ${protocol}; there is one for nats:, mqtt: and redis:.`,
  )
}

async function nats({ protocol, host, username, password }: URL): Promise<BareConnection> {
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)]
  const connection = await connectNats({
    servers: host,
    // As in Rivulet: a user without a password is a token.
    ...(user !== '' && (pass === '' ? { token: user } : { user, pass })),
    ...(protocol === 'tls:' && { tls: {} }),
  })
  const subjectOf = (topic: string) => topic.replaceAll('/', '.')
  return {
    publish: (topic, text) => connection.publish(subjectOf(topic), text),
    subscribe(topic, listener) {
      connection.subscribe(subjectOf(topic), { callback: (_, message) => listener(message.string()) })
      return connection.flush()
    },
    flush: () => connection.flush(),
    close: () => connection.close(),
  }
}

async function mqtt(url: URL): Promise<BareConnection> {
  const protocolVersion = url.searchParams.get('protocol') === '4' ? 4 : 5
  const client = await connectMqtt(url.href.replace(/\?.*/, ''), { protocolVersion })
  const listeners = new Map<string, (text: string) => void>()
  client.on('message', (topic, payload) => listeners.get(topic)?.(payload.toString()))
  return {
    publish: (topic, text) => void client.publish(topic, text),
    subscribe(topic, listener) {
      listeners.set(topic, listener)
      return client.subscribeAsync(topic)
    },
    flush: () => pinged(client),
    close: () => client.endAsync(),
  }
}

/** Resolves at the answer to a ping, by which the broker has read earlier publishes: QoS 0 has no confirmation. */
function pinged(client: MqttClient): Promise<void> {
  return new Promise((resolve) => {
    const take = ({ cmd }: { readonly cmd: string }) => {
      if (cmd !== 'pingresp') return
      client.off('packetreceive', take)
      resolve()
    }
    client.on('packetreceive', take)
    client.sendPing()
  })
}

async function redis(url: URL): Promise<BareConnection> {
  const client = await createRedisClient({ url: url.href.replace(/^valkey/, 'redis').replace(/\?.*/, '') })
    .on('error', () => {})
    .connect()
  let last: Promise<unknown> = Promise.resolve()
  return {
    publish(topic, text) {
      last = client.publish(topic, text)
      last.catch(() => {})
    },
    subscribe: (topic, listener) => client.subscribe(topic, listener),
    // Answers arrive in the order of the commands.
    flush: () => last,
    close: async () => client.destroy(),
  }
}
