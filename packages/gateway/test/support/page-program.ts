import { websocket } from '@rivulet/websocket'
import { createHub, type Hub, type Ledger, type Message } from 'rivulet'

/** A message, as far as tests look at it. */
export interface Heard {
  readonly data: unknown
  readonly isLocal: boolean
  readonly sid: string
}

/** What tests can have a tab do. Everything given and taken is plain data. */
export interface PageProgram {
  /** Opens the hub. The tab asks the test for a token by `giveToken`. */
  open(url: string, name: string): Promise<void>
  /** Subscribes, and resolves when messages of others arrive. */
  listen(stream: string): Promise<void>
  /** Publishes, and gives the sid. */
  publish(stream: string, data: object): string
  /** Publishes numbers for as long as the tab lives, as fast as the stream takes them. */
  flood(stream: string): void
  flush(): Promise<void>
  heard(stream: string): Heard[]
  /** The statuses that the hub has had. */
  statuses(): string[]
  errors(): string[]
  ledger(): Ledger
  close(): Promise<Ledger>
}

declare global {
  var rivulet: PageProgram
  var giveToken: () => Promise<string>
}

let hub: Hub
const heard = new Map<string, Heard[]>()
const statuses: string[] = []
const errors: string[] = []

globalThis.rivulet = {
  open(url, name) {
    hub = createHub({ name, transport: websocket({ url, token: () => globalThis.giveToken() }) })
    hub.on('status', (status) => statuses.push(status))
    hub.on('error', ({ code, message }) => errors.push(`${code}: ${message}`))
    return hub.ready()
  },
  async listen(stream) {
    const messages: Heard[] = []
    heard.set(stream, messages)
    const take = ({ data, isLocal, sid }: Message) => messages.push({ data, isLocal, sid })
    await hub.stream(stream).subscribe(take).ready
  },
  publish: (stream, data) => hub.stream(stream).publish(data as Record<string, string>).sid,
  flood(stream) {
    const next = (n: number) => {
      hub.stream(stream).tryPublish({ n })
      setTimeout(() => next(n + 1))
    }
    next(0)
  },
  flush: async () => void (await hub.flush()),
  heard: (stream) => heard.get(stream) ?? [],
  statuses: () => statuses,
  errors: () => errors,
  ledger: () => hub.ledger(),
  close: () => hub.close(),
}
