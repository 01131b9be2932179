import { decode, type ProtocolMessage } from '../../src/base/protocol.ts'
import type { WebSocketConstructor, WebSocketLike } from '../../src/client/options.ts'

/** A WebSocket by script: it notes what it is given, and a test says what comes. */
export class ScriptedSocket implements WebSocketLike {
  readonly url: string
  binaryType = ''
  readyState = 0
  bufferedAmount = 0
  onopen: WebSocketLike['onopen'] = null
  onmessage: WebSocketLike['onmessage'] = null
  onclose: WebSocketLike['onclose'] = null
  onerror: WebSocketLike['onerror'] = null
  /** Whether `send` throws, as some runtimes do while they close. */
  isBroken = false
  readonly sent: ProtocolMessage[] = []
  /** The codes with which it was closed. */
  readonly closes: (number | undefined)[] = []
  terminations = 0

  constructor(url: string) {
    this.url = url
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.isBroken) throw new Error('The socket is closing.')
    this.sent.push(decode(bytes) as ProtocolMessage)
  }

  close(code?: number): void {
    this.closes.push(code)
  }

  terminate(): void {
    this.terminations++
  }

  /** The server has taken the connection. */
  opens(): void {
    this.readyState = 1
    this.onopen?.({})
  }

  /** The server says something. */
  hears(bytes: Uint8Array<ArrayBuffer>): void {
    this.onmessage?.({ data: bytes.buffer })
  }

  /** The connection has ended. */
  ends(code = 1006, reason = ''): void {
    this.readyState = 3
    this.onclose?.({ code, reason })
  }
}

/** Makes a constructor of such sockets, and a list of what it made. */
export function scriptedSockets(): { WebSocket: WebSocketConstructor; sockets: ScriptedSocket[] } {
  const sockets: ScriptedSocket[] = []
  class WebSocket extends ScriptedSocket {
    constructor(url: string) {
      super(url)
      sockets.push(this)
    }
  }
  return { WebSocket, sockets }
}
