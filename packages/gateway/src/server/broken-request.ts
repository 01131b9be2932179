import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { PROBLEMS, type ProblemName, problemBody } from '../base/problem.ts'

/**
 * Answers, in the API's form, what Node itself refuses: broken HTTP, headers too large, requests too slow. The names
 * of statuses are those of Node, whose modules are not imported here.
 */
export function answerBrokenRequests(server: Server, statusNames: StatusNames): void {
  const refuse = (socket: Duplex, problem: ProblemName) => end(socket, problem, statusNames)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(socket, problemOf(error.code)))
  // A tunnel is not what this is for; without a listener Node would just hang up.
  server.on('connect', (_request, socket) => refuse(socket, 'methodNotAllowed'))
}

type StatusNames = Readonly<Record<number, string | undefined>>

function problemOf(code: string | undefined): ProblemName {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headersTooLarge'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'timedOut'
  return 'badRequest'
}

function end(socket: Duplex, problem: ProblemName, statusNames: StatusNames): void {
  const { status } = PROBLEMS[problem]
  const body = problemBody(problem)
  const head = [
    `HTTP/1.1 ${status} ${statusNames[status]}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  if (socket.writable) socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // A client that goes on sending must not keep the connection half open.
  setTimeout(() => socket.destroy(), 1000).unref()
}
