import type { IncomingMessage, ServerResponse } from 'node:http'
import { runOutside } from 'rivulet/adapter'
import { type Answer, problemAnswer, responseOf } from '../base/answer.ts'
import { PROBLEMS } from '../base/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { isOfOldProxy, isPlainHealthCheck } from './broken-request.ts'

/** Answers a request of Node's HTTP server. Never throws. */
export type NodeHandler = (incoming: IncomingMessage, outgoing: ServerResponse) => void

type Listener = (incoming: IncomingMessage, outgoing: ServerResponse) => unknown

/**
 * Makes a handler for Node's `http`, Express and Fastify. Mount it before anything that reads bodies; under a path,
 * give the gateway that path as `basePath`.
 */
export function toNodeHandler(gateway: Gateway): NodeHandler {
  let listener: Listener | undefined
  const answerByFetch = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    listener ??= await runOutside(() => fetchListenerOf(gateway))
    listener(incoming, outgoing)
  }
  return (incoming, outgoing) => {
    // It would be waited for until the client gives up.
    if (incoming.readableEnded) return write(problemAnswer(PROBLEMS.bodyTaken), outgoing)
    restoreUrl(incoming)
    // What has no host is answered by a name of this machine, from which it comes.
    if (isPlainHealthCheck(incoming, gateway)) incoming.headers.host = 'localhost'
    else if (gateway.isOpen && isOfOldProxy(incoming))
      return write(problemAnswer(PROBLEMS.forwarded), outgoing)
    const take = beginPublish(incoming, gateway)
    if (take === undefined) void answerByFetch(incoming, outgoing)
    else if (typeof take === 'object') write(take, outgoing)
    else readText(incoming, (text) => writeSoon(take(text), outgoing))
  }
}

/**
 * Gets the package only here, so that the gateway itself runs where there is no Node. With it Node loads its own client,
 * which would keep the async context of the first request.
 */
async function fetchListenerOf(gateway: Gateway): Promise<Listener> {
  const { getRequestListener } = await import('@hono/node-server')
  return getRequestListener((request, bindings) => gateway.fetch(request, bindings), {
    errorHandler: () => responseOf(problemAnswer(PROBLEMS.badRequest)),
  })
}

/** Express takes the path off under which it has mounted a handler. The gateway's `basePath` stands for it. */
function restoreUrl(incoming: IncomingMessage & { originalUrl?: string }): void {
  if (incoming.originalUrl !== undefined) incoming.url = incoming.originalUrl
}

function beginPublish(incoming: IncomingMessage, gateway: Gateway): ReturnType<Gateway['publish']> {
  if (incoming.method !== 'POST') return undefined
  const { headers, url = '' } = incoming
  return gateway.publish({
    target: url,
    clientAddress: incoming.socket.remoteAddress,
    header: (name) => headers[name] as string | undefined,
  })
}

/** Reads a body that has a length. One that breaks off is nothing to answer: its connection is gone. */
function readText(incoming: IncomingMessage, taken: (text: string) => void): void {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => taken(textOf(chunks)))
  incoming.on('error', () => {})
}

function textOf(chunks: readonly Buffer[]): string {
  const [first] = chunks
  return (chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)).toString('utf8')
}

function writeSoon(answer: Answer | Promise<Answer>, outgoing: ServerResponse): void {
  if (answer instanceof Promise) void answer.then((given) => write(given, outgoing))
  else write(answer, outgoing)
}

function write({ status, headers, body }: Answer, outgoing: ServerResponse): void {
  // Answers to a publish are texts; a stream goes the long way.
  const text = typeof body === 'string' ? body : ''
  outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) }).end(text)
}
