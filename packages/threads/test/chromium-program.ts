// The program of a tab and a worker of the Chromium test: one hub that records its messages.
import { type Hub, type Ledger, openHub } from 'rivulet'

interface Note {
  readonly by: string
  readonly n: number
}

const limit = { limit: false } as const
let hub: Hub
let name = ''
let count = 0
const heard: Note[] = []

/** A request of a test to a tab, and of a tab to its worker. */
const acts = {
  async open(url: string, givenName: string): Promise<string> {
    name = givenName
    hub = await openHub(url)
    await hub.stream<Note>('notes', limit).subscribe(({ data, isLocal }) => {
      if (!isLocal) heard.push(data)
    }).ready
    return hub.status
  },

  async publish(messages: number): Promise<void> {
    for (let nth = 0; nth < messages; nth += 1)
      hub.stream<Note>('notes', limit).publish({ by: name, n: ++count })
    await hub.flush()
  },

  /** Publishes until the tab is gone. */
  async flood(): Promise<void> {
    setInterval(() => {
      for (let nth = 0; nth < 50; nth += 1) hub.stream<Note>('notes', limit).publish({ by: name, n: ++count })
    }, 1)
  },

  async heardOf(by: string): Promise<number[]> {
    return heard.filter((note) => note.by === by).map(({ n }) => n)
  },

  /** Blocks the event loop. */
  async block(ms: number): Promise<void> {
    const endMs = performance.now() + ms
    while (performance.now() < endMs);
  },

  async status(): Promise<string> {
    return hub.status
  },

  async close(): Promise<Ledger> {
    return await hub.close()
  },

  /** Starts a dedicated worker, and has it act. */
  async worker(act: string, ...args: readonly unknown[]): Promise<unknown> {
    worker ??= new Worker('/program.js')
    const answered = new Promise<MessageEvent>((resolve) => {
      worker?.addEventListener('message', resolve, { once: true })
    })
    worker.postMessage({ act, args })
    return (await answered).data
  },

  async terminateWorker(): Promise<void> {
    worker?.terminate()
  },
}

/** The acts by name. */
export type Acts = typeof acts

let worker: Worker | undefined
Object.assign(globalThis, { acts })
if (!('document' in globalThis)) {
  addEventListener('message', async ({ data }) => {
    const { act, args } = data as { act: keyof typeof acts; args: never[] }
    postMessage(await (acts[act] as (...args: never[]) => Promise<unknown>)(...args))
  })
}
