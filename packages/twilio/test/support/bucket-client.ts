import { type KV, Kvm } from '@nats-io/kv'
import { connect, headers, type NatsConnection } from '@nats-io/transport-node'
import { onTestFinished } from 'vitest'

/** Another client of the bucket that gateways share, which writes what no gateway would. */
export class BucketClient {
  readonly kv: KV
  readonly #connection: NatsConnection
  readonly #name: string

  private constructor(connection: NatsConnection, name: string, kv: KV) {
    this.#connection = connection
    this.#name = name
    this.kv = kv
  }

  /** Connects to a bucket that is there, until the test ends. */
  static async open(url: string, name = 'rivulet-streams'): Promise<BucketClient> {
    const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
    onTestFinished(() => connection.close())
    return new BucketClient(connection, name, await new Kvm(connection).open(name))
  }

  /** Writes a value as JSON, unless it is a text. */
  async write(key: string, value: unknown): Promise<void> {
    await this.kv.put(key, typeof value === 'string' ? value : JSON.stringify(value))
  }

  /** Deletes every consumer of the bucket, so that no watch hears anything more. */
  async deleteConsumers(): Promise<number> {
    const { consumers } = await this.#ask<{ consumers: string[] | null }>('CONSUMER.NAMES')
    for (const consumer of consumers ?? []) await this.#ask('CONSUMER.DELETE', `.${consumer}`)
    return consumers?.length ?? 0
  }

  /** Counts the requests about the bucket's state from now on; gives a function that tells how many there were. */
  async countInfoRequests(): Promise<() => Promise<number>> {
    const requests = this.#connection.subscribe(`$JS.API.STREAM.INFO.KV_${this.#name}`)
    await this.#connection.flush()
    return async () => {
      await this.#connection.flush()
      return requests.getReceived()
    }
  }

  /** Removes what is stored under a key, or under all, without leaving a marker. */
  async purge(key = '>'): Promise<void> {
    await this.#ask('STREAM.PURGE', '', { filter: `$KV.${this.#name}.${key}` })
  }

  /** Writes a value that takes the place of everything in the bucket. */
  async rollUp(key: string, value: string): Promise<void> {
    const rollUp = headers()
    rollUp.set('Nats-Rollup', 'all')
    await this.#connection.request(`$KV.${this.#name}.${key}`, value, { headers: rollUp, timeout: 5000 })
  }

  /** Deletes the bucket itself. */
  async destroy(): Promise<void> {
    await this.#ask('STREAM.DELETE')
  }

  async #ask<Answer>(api: string, suffix = '', body?: object): Promise<Answer> {
    const subject = `$JS.API.${api}.KV_${this.#name}${suffix}`
    const answer = await this.#connection.request(subject, body && JSON.stringify(body), { timeout: 5000 })
    const read = answer.json<Answer & { error?: { description: string } }>()
    if (read.error !== undefined) throw new Error(`${subject}: ${read.error.description}`)
    return read
  }
}
