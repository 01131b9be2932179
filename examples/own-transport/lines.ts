import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { RivuletError, type Topic, type Transport, type TransportHost } from 'rivulet'
import * as kit from 'rivulet/adapter'

/** The servers that pass lines on, and the password for them. */
export interface LinesOptions {
  /** Each `host` or `host:port`. @default '127.0.0.1:4800' */
  readonly servers?: string | readonly string[] | undefined
  /** The password, or a function that is called for it at each dial. */
  readonly password?: kit.Given<string> | undefined
}

const RULES: kit.Rules<LinesOptions> = { servers: kit.textsForm, password: kit.orFunction(kit.textForm) }
const SERVERS: kit.ServerKind = { product: 'lines', port: 4800, schemes: { lines: false } }
const REFUSALS: kit.RefusalKind = {
  product: 'lines',
  isFinal: (cause) => RivuletError.is(cause),
  reasonOf: (cause) => (cause instanceof Error ? cause.message : String(cause)),
  adviceOf: () => 'Check the password.',
}
const maxFrameBytes = () => Infinity

/** Makes a transport over servers that pass lines of JSON on. Throws `INVALID_OPTIONS`. */
export function lines(options: LinesOptions = {}): Transport {
  const { servers = '127.0.0.1', password } = kit.checkOptions('lines', options, RULES)
  const parsed = kit.parseServers(servers, SERVERS)
  return kit.makeTransport<Connection>({
    name: 'lines',
    capabilities: () => ({ scope: 'network', echoes: false, ordered: true, watch: false, maxFrameBytes }),
    async connect(host, signal) {
      const timeouts = kit.timeoutsOf(host)
      const known = await kit.given({ password }, RULES, { dialMs: timeouts.dialMs, signal })
      const mostMs = kit.dialShareMs(timeouts, parsed.length)
      return kit.dialInTurn(
        kit.inRandomOrder(parsed, () => false),
        ({ label }) => label,
        (server) => new Connection(server, host).open(known.password, mostMs, signal),
        (failures) => kit.refusalOfAll(failures, REFUSALS),
        signal,
      )
    },
  })
}

class Connection implements kit.TransportConnection {
  readonly #socket: Socket
  readonly #host: TransportHost
  readonly #ending = new kit.Ending()
  /** Each value is one call of `join`. */
  readonly #joins = new Map<string, { isConfirmed: boolean }>()
  /** Calls that wait for the server's next answers. */
  readonly #answers: ((answer: string) => void)[] = []
  #isUp = false

  constructor({ host, port }: kit.ServerAddress, hub: TransportHost) {
    this.#host = hub
    this.#socket = connect({ host, port, noDelay: true })
    kit.resetAtEnd(this.#socket)
    this.#socket.on('close', () => this.#end(new Error('the server closed the connection')))
    const reader = createInterface({ input: this.#socket })
    // The errors of the socket, too.
    reader.on('error', (error) => this.#end(error))
    reader.on('line', (line) => this.#take(JSON.parse(line)))
  }

  async open(password: string | undefined, mostMs: number, signal: AbortSignal): Promise<this> {
    try {
      const answer = await this.#ask({ password }, AbortSignal.any([signal, AbortSignal.timeout(mostMs)]))
      if (answer !== 'welcome') throw new RivuletError('TRANSPORT_FAILED', 'wrong password')
      this.#isUp = true
      return this
    } catch (cause) {
      this.#end(cause)
      throw cause
    }
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    if (!this.#isUp) return 'offline'
    this.#socket.write(`${JSON.stringify([topic, Buffer.from(frame).toString('base64')])}\n`)
    return 'sent'
  }

  /** The server passes everything on: its answer to a barrier shows that it is there. */
  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    const call = { isConfirmed: false }
    this.#joins.set(topic, call)
    try {
      await this.flush(signal)
      if (this.#joins.get(topic) !== call) throw new Error('left before the join was confirmed')
      call.isConfirmed = true
    } catch (cause) {
      if (this.#joins.get(topic) === call) this.leave(topic)
      throw cause
    }
  }

  leave(topic: Topic): void {
    this.#joins.delete(topic)
  }

  async watch(): Promise<void> {
    throw new RivuletError('TRANSPORT_FAILED', 'Lines cannot be watched.')
  }

  async flush(signal: AbortSignal): Promise<void> {
    if (!this.#isUp) throw new Error('the connection is gone')
    await this.#ask('ping', signal)
  }

  async close(signal: AbortSignal): Promise<void> {
    const isUp = this.#isUp
    this.#isUp = false
    // Once the server answers it has everything that was sent before.
    if (isUp) await this.#ask('ping', signal).catch(() => {})
    this.#end(new Error('the connection was closed'))
  }

  #end(cause: unknown): void {
    if (this.#isUp) this.#host.down(new RivuletError('TRANSPORT_UNAVAILABLE', `The lines ended: ${cause}.`))
    this.#isUp = false
    this.#ending.end(cause)
    this.#socket.destroy()
  }

  #take(message: string | [Topic, string]): void {
    if (typeof message === 'string') return this.#answers.shift()?.(message)
    if (!this.#isUp) return
    const [topic, text] = message
    try {
      if (this.#joins.get(topic)?.isConfirmed) this.#host.receive(topic, Buffer.from(text, 'base64'))
    } catch (cause) {
      this.#host.error(topic, new RivuletError('TRANSPORT_FAILED', 'A frame was not taken.', { cause }))
    }
  }

  #ask(question: unknown, signal: AbortSignal): Promise<string> {
    const answer = new Promise<string>((resolve) => this.#answers.push(resolve))
    this.#socket.write(`${JSON.stringify(question)}\n`)
    return this.#ending.race(() => answer, signal)
  }
}
