import { EventEmitter } from 'node:events'
import type { Page } from 'playwright-core'

/** What a page tells: how a call ended, or an event, and the properties that the client or the stream has now. */
interface Told {
  readonly object: number
  readonly now: object
  readonly call?: number
  readonly error?: { readonly message: string }
  readonly stream?: number
  readonly event?: string
  readonly value?: unknown
}

/** Stands in a test for a client or a stream in a page: has its properties, its events and its methods. */
class Mirror extends EventEmitter {
  readonly #ask: (method: string, args: unknown[]) => Promise<unknown>

  constructor(ask: (method: string, args: unknown[]) => Promise<unknown>) {
    super()
    this.#ask = ask
  }

  protected ask(method: string, ...args: unknown[]) {
    return this.#ask(method, args)
  }
}

class PageStream extends Mirror {
  publishMessage = (value: object) => this.ask('publishMessage', value)
  setTtl = (ttl: number) => this.ask('setTtl', ttl)
  removeStream = () => this.ask('removeStream')
  close = () => void this.ask('close')
}

/** Drives the SDK's browser bundle in a tab of its own, with the face of the class `SyncClient`. */
export class PageSyncClient extends Mirror {
  connectionState = 'unknown'
  stream = (...args: unknown[]) => this.ask('stream', ...args)
  document = (...args: unknown[]) => this.ask('document', ...args)
  list = (...args: unknown[]) => this.ask('list', ...args)
  map = (...args: unknown[]) => this.ask('map', ...args)
  liveQuery = (...args: unknown[]) => this.ask('liveQuery', ...args)
  updateToken = (token: string) => this.ask('updateToken', token)
  shutdown = () => this.ask('shutdown')

  readonly #opening: Promise<Page>
  readonly #options: object
  readonly #mirrors = new Map<number, Mirror>()
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #numberOfCalls = 0
  #making: Promise<void>

  constructor(opening: Promise<Page>, token: string, options: object) {
    super((method, args) => this.#call(0, method, args))
    this.#options = options
    this.#opening = opening.then(async (page) => {
      await page.exposeFunction('tell', (told: Told) => this.#hear(told))
      return page
    })
    this.#making = this.#make(token)
  }

  /** Reloads the tab, and makes a client in it anew; its streams are to be opened again. */
  async reload(token: string): Promise<void> {
    await (await this.#opening).reload()
    this.#making = this.#make(token)
    await this.#making
  }

  async #make(token: string): Promise<void> {
    this.#mirrors.clear()
    this.#mirrors.set(0, this)
    await (await this.#opening).evaluate(drive, { token, options: this.#options })
  }

  async #call(object: number, method: string, args: unknown[]): Promise<unknown> {
    await this.#making
    const page = await this.#opening
    const call = this.#numberOfCalls++
    return new Promise((resolve, reject) => {
      this.#calls.set(call, { resolve, reject })
      // biome-ignore lint/suspicious/noExplicitAny: the page's own function.
      page.evaluate((asked) => (globalThis as any).call(asked), { call, object, method, args }).catch(reject)
    })
  }

  /** Results and events come one after another, as they came in the page. */
  #hear(told: Told): void {
    const mirror = this.#mirrors.get(told.object)
    if (mirror) Object.assign(mirror, told.now)
    if (told.event) return void mirror?.emit(told.event, told.value)
    const ended = this.#calls.get(told.call as number)
    if (told.error) return ended?.reject(Object.assign(new Error(told.error.message), told.error))
    ended?.resolve(told.stream === undefined ? told.value : this.#streamOf(told.stream, told.value as object))
  }

  #streamOf(object: number, now: object): PageStream {
    const stream = new PageStream((method, args) => this.#call(object, method, args))
    this.#mirrors.set(object, Object.assign(stream, now))
    return stream
  }
}

/** Runs in the page: makes a client, does to it and its streams what a test calls, and tells what comes of it. */
// biome-ignore-start lint/suspicious/noExplicitAny: the bundle has no types, and objects of many kinds are told.
function drive({ token, options }: { token: string; options: object }): void {
  const { Twilio, tell } = globalThis as any
  const events = [
    ...['tokenAboutToExpire', 'tokenExpired', 'connectionError', 'connectionStateChanged'],
    ...['messagePublished', 'removed', 'failure', '_subscriptionStateChanged'],
  ]
  const names = [
    ...['connectionState', 'sid', 'uniqueName', 'dateExpires', 'data', 'isLocal', 'name', 'message'],
    ...['status', 'code', 'terminal', 'httpStatusCode', 'errorCode'],
  ]
  const objects: any[] = []
  const plain = (value: any): any =>
    typeof value === 'object' && value !== null
      ? Object.fromEntries(
          names.filter((name) => name in value).map((name) => [name, copy(name, value[name])]),
        )
      : value
  const copy = (name: string, value: any) => (name === 'message' ? plain(value) : value)
  const keep = (object: any): number => {
    const number = objects.push(object) - 1
    for (const event of events) {
      object.on(event, (value: any) =>
        tell({ object: number, now: plain(object), event, value: plain(value) }),
      )
    }
    return number
  }
  keep(new Twilio.Sync.Client(token, options))
  ;(globalThis as any).call = ({ call, object, method, args }: any): void => {
    const end = (ended: object) => tell({ call, object, now: plain(objects[object]), ...ended })
    Promise.resolve(objects[object][method](...args)).then(
      (value) => end({ value: plain(value), ...(value?.publishMessage && { stream: keep(value) }) }),
      (error) => end({ error: plain(error) }),
    )
  }
}
// biome-ignore-end lint/suspicious/noExplicitAny: the bundle has no types, and objects of many kinds are told.
