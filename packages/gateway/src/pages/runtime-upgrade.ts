import { MAX_MESSAGE_BYTES } from '@rivulet/websocket/protocol'
import { type Answer, problemAnswer, responseOf } from '../base/answer.ts'
import { PROBLEMS } from '../base/problem.ts'
import type { PageHandler, PageSocket } from './session.ts'

/** Takes a page's socket over. */
export type AcceptPage = (socket: PageSocket) => PageHandler

/** The second argument that Bun passes to `fetch`. */
interface BunServer {
  upgrade(request: Request, options: { readonly data: BunPage }): boolean
}

/** A WebSocket of Bun. */
interface BunSocket {
  readonly data: BunPage
  send(bytes: Uint8Array): number
  close(code: number, reason?: string): void
  terminate(): void
  getBufferedAmount(): number
}

interface BunPage {
  readonly accept: AcceptPage
  handler?: PageHandler
}

/** A function of Deno, which makes a WebSocket of a request. */
type DenoUpgrade = (request: Request) => { readonly socket: WebSocket; readonly response: Response }

/**
 * Takes over a request for a page's WebSocket where `fetch` itself can: in Deno and in Bun. On Node the server does
 * it, and other runtimes are answered 426. Deno bounds no message, and shows none before it is whole. The code is the
 * gateway's own: hono's adapters for this are deprecated and do not give the number of bytes that wait in a socket; crossws
 * neither gives that in Deno nor can end a socket there.
 */
export function upgradeRequest(request: Request, bindings: object, accept: AcceptPage): Response {
  if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket') return responseOf(upgradeFirst())
  const { Deno } = globalThis as { readonly Deno?: { readonly upgradeWebSocket?: DenoUpgrade } }
  if (Deno?.upgradeWebSocket !== undefined) return upgradeInDeno(request, Deno.upgradeWebSocket, accept)
  if (!isBunServer(bindings) || !bindings.upgrade(request, { data: { accept } }))
    return responseOf(upgradeFirst())
  // Bun sends nothing of it.
  return new Response(null)
}

function upgradeFirst(): Answer {
  return problemAnswer(PROBLEMS.upgradeRequired, { upgrade: 'websocket' })
}

function upgradeInDeno(request: Request, upgrade: DenoUpgrade, accept: AcceptPage): Response {
  const { socket, response } = upgrade(request)
  socket.binaryType = 'arraybuffer'
  let handler: PageHandler | undefined
  socket.onopen = () => {
    handler = accept({
      send: (bytes) => socket.send(bytes as Uint8Array<ArrayBuffer>),
      close: (code, reason) => socket.close(code, reason),
      // Deno can't; a client that does not answer is given up by it after a while.
      terminate: () => socket.close(),
      get bufferedBytes() {
        return socket.bufferedAmount
      },
    })
  }
  socket.onmessage = ({ data }) => handler?.receive(typeof data === 'string' ? data : new Uint8Array(data))
  socket.onclose = () => handler?.closed()
  // It is closed then, too, and reports that.
  socket.onerror = () => {}
  return response
}

function isBunServer(bindings: object): bindings is BunServer {
  return typeof (bindings as Partial<BunServer>).upgrade === 'function'
}

/** The handlers that Bun calls for each WebSocket: `Bun.serve({ fetch: gateway.fetch, websocket: bunWebSocket })`. */
export const bunWebSocket = Object.freeze({
  /** Longer than the time in which a page that is silent is ended. */
  idleTimeout: 30,
  maxPayloadLength: MAX_MESSAGE_BYTES,
  /** Takes a socket over. */
  open(socket: BunSocket): void {
    const { data } = socket
    data.handler = data.accept({
      send: (bytes) => void socket.send(bytes),
      close: (code, reason) => socket.close(code, reason),
      terminate: () => socket.terminate(),
      get bufferedBytes() {
        return socket.getBufferedAmount()
      },
    })
  },
  /** Hands a message over. */
  message({ data }: BunSocket, message: Uint8Array | string): void {
    data.handler?.receive(message)
  },
  /** Reports that a socket is closed. */
  close({ data }: BunSocket): void {
    data.handler?.closed()
  },
})
