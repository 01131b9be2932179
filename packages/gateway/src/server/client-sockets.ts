import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

// Browsers and SDKs send one request at a time; what pipelines seldom goes beyond 10.
const MAX_IN_FLIGHT = 16
// Each costs some 400 bytes while it waits, however short it is. The largest body has 45 segments of TCP's usual size.
const MAX_CHUNKS = 256
/** How often in the time that a socket may stall it is looked at. */
const LOOKS = 4

interface Client {
  /** The answer that the client is being sent. */
  answering: ServerResponse | undefined
  /** Answers the requests that came meanwhile. */
  readonly waiting: Turn[]
  takenBytes: number
  lastTakenMs: number
}

interface Turn {
  readonly outgoing: ServerResponse
  readonly answer: () => void
}

/**
 * Watches over the connections of a server, so that none costs more than a little memory. Requests are answered one
 * after the other, so that only one answer waits for a client that does not read. A connection with too many requests
 * in flight is ended, and so is one that does not take what was sent to it.
 */
export class ClientSockets {
  readonly #writeStallMs: number
  readonly #clients = new Map<Socket, Client>()
  #timer: NodeJS.Timeout | undefined

  constructor(server: Server, writeStallMs: number) {
    this.#writeStallMs = writeStallMs
    server.on('connection', (socket) => this.#add(socket))
  }

  /** Runs `answer` after the earlier requests of the connection are answered. */
  answer({ socket }: IncomingMessage, outgoing: ServerResponse, answer: () => void): void {
    const client = this.#clients.get(socket)
    if (client === undefined) return
    const { waiting } = client
    if (client.answering === undefined) take(client, { outgoing, answer })
    else if (waiting.push({ outgoing, answer }) >= MAX_IN_FLIGHT) socket.destroy()
  }

  /** Whether a client would take what is written now for a part of the answer to an earlier request. */
  isAnswering(socket: Socket): boolean {
    const { answering, waiting } = this.#clients.get(socket) ?? {}
    if (answering === undefined || waiting === undefined) return false
    if (waiting.length > 0) return true
    return !answering.writableEnded && (answering.headersSent || answering.req.complete)
  }

  #add(socket: Socket): void {
    // Node is handed a connection anew when its request asked for a protocol that is not served.
    if (this.#clients.has(socket)) return
    this.#clients.set(socket, { answering: undefined, waiting: [], takenBytes: 0, lastTakenMs: 0 })
    socket.on('close', () => this.#clients.delete(socket))
    this.#timer ??= this.#lookLater()
  }

  #lookLater(): NodeJS.Timeout {
    return setTimeout(() => this.#look(performance.now()), this.#writeStallMs / LOOKS).unref()
  }

  /** Ends the connections that have had bytes waiting for too long and took none of them. */
  #look(nowMs: number): void {
    for (const [socket, client] of this.#clients) {
      const takenBytes = socket.bytesWritten - socket.writableLength
      const isMoving = socket.writableLength === 0 || takenBytes !== client.takenBytes
      if (isMoving) Object.assign(client, { takenBytes, lastTakenMs: nowMs })
      else if (nowMs - client.lastTakenMs >= this.#writeStallMs) socket.destroy()
    }
    this.#timer = this.#clients.size > 0 ? this.#lookLater() : undefined
  }
}

function take(client: Client, { outgoing, answer }: Turn): void {
  const { socket } = outgoing.req
  client.answering = outgoing
  outgoing.on('close', () => {
    // What follows the last answer on a connection is not answered any more.
    if (!socket.writable) return
    client.answering = undefined
    const next = client.waiting.shift()
    if (next !== undefined) take(client, next)
  })
  answer()
}

/**
 * Makes the class of a server's requests. It stops Node's parser on a connection that was ended, which would else go
 * on with all that it has read, 64 KiB at a time: on 200 connections 300 000 requests, or some 400 MB.
 * And it ends a connection whose request has its body in very many pieces.
 */
export function endableRequests(Request: typeof IncomingMessage): typeof IncomingMessage {
  return class extends Request {
    declare isUpgrade: boolean | null
    chunks = 0

    override push(chunk: unknown, encoding?: BufferEncoding): boolean {
      this.chunks += 1
      if (this.chunks > MAX_CHUNKS) this.socket.destroy()
      return !this.socket.destroyed && super.push(chunk, encoding)
    }

    // Node asks for it first, and leaves all that follows an upgrade to others.
    get upgrade(): boolean {
      return this.socket.destroyed || this.isUpgrade === true
    }

    set upgrade(given: boolean | null) {
      this.isUpgrade = given
    }
  }
}
