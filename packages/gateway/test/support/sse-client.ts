import { onTestFinished } from 'vitest'

export interface SseEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: unknown
}

/** A client of Server-Sent Events that a test reads event by event. */
export class SseClient {
  readonly events: SseEvent[] = []
  /** Comments, without their colon. */
  readonly comments: string[] = []
  /** Resolves when the server has ended the response. */
  readonly ended: Promise<void>
  readonly response: Response
  readonly #changed = new Set<() => void>()
  readonly #abort: AbortController

  constructor(response: Response, abort: AbortController) {
    this.response = response
    this.#abort = abort
    this.ended = this.#read(response.body as ReadableStream<Uint8Array>)
  }

  /** Resolves when there are so many events. */
  async count(expected: number): Promise<SseEvent[]> {
    await this.until(() => this.events.length >= expected)
    return this.events
  }

  /** Resolves when something that was read makes it true. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>((resolve) => this.#changed.add(resolve))
  }

  close(): void {
    this.#abort.abort()
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let text = ''
    try {
      for await (const chunk of body) {
        text += decoder.decode(chunk, { stream: true })
        const blocks = text.split('\n\n')
        text = blocks.pop() ?? ''
        for (const block of blocks) this.#take(block)
        this.#tell()
      }
    } catch {
      // The test has closed it, or the server has hung up.
    }
    this.#tell()
  }

  #take(block: string): void {
    const lines = block.split('\n')
    const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
    const event = field('event')
    this.comments.push(...lines.filter((line) => line.startsWith(':')).map((line) => line.slice(1)))
    if (event !== undefined)
      this.events.push({ event, id: field('id'), data: JSON.parse(field('data') ?? '') })
  }

  #tell(): void {
    const waiting = [...this.#changed]
    this.#changed.clear()
    for (const resolve of waiting) resolve()
  }
}

/** Listens at a URL; resolves once the server has answered 200, so that what is published then will come. */
export async function listenAt(url: string, headers: Record<string, string> = {}): Promise<SseClient> {
  const abort = new AbortController()
  const response = await fetch(url, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: abort.signal,
  })
  if (response.status !== 200)
    throw new Error(`listening was answered ${response.status}: ${await response.text()}`)
  const client = new SseClient(response, abort)
  onTestFinished(() => client.close())
  return client
}
