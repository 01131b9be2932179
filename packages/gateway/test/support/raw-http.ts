import { connect } from 'node:net'

const TIMEOUT_MS = 5000

export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/**
 * Sends bytes to a server and gives its first answer, or `undefined` when it hangs up without one. Rejects when
 * nothing comes. `isTruncated` ends the sending side at once, as a client does that breaks off.
 */
export function sendRaw(
  port: number,
  given: string | Buffer,
  isTruncated = false,
): Promise<RawAnswer | undefined> {
  const text = Buffer.from(given)
  const isHead = text.toString('latin1', 0, 5) === 'HEAD '
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    const finish = () => {
      socket.destroy()
      clearTimeout(timer)
      resolve(answerOf(Buffer.concat(chunks).toString('latin1')))
    }
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error('The server does not answer.'))
    }, TIMEOUT_MS)
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (isComplete(Buffer.concat(chunks).toString('latin1'), isHead)) finish()
    })
    socket.on('error', finish)
    socket.on('close', finish)
    if (isTruncated) socket.end(text)
    else socket.write(text)
  })
}

/** Sends bytes, and gives all answers once the server has hung up. */
export function allAnswers(port: number, text: string): Promise<RawAnswer[]> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(received.split(/(?=HTTP\/1\.1 \d{3} )/).map(firstAnswerOf)))
    socket.write(text, 'latin1')
  })
}

function firstAnswerOf(text: string): RawAnswer {
  const [head = '', body = ''] = text.split('\r\n\r\n', 2)
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]), head, body }
}

function isComplete(text: string, isHead: boolean): boolean {
  const answer = answerOf(text)
  if (answer === undefined || isHead) return answer !== undefined
  const length = /^content-length: (\d+)/im.exec(answer.head)?.[1]
  if (length !== undefined) return answer.body.length >= Number(length)
  if (/^transfer-encoding: chunked/im.test(answer.head)) return true
  return answer.status === 204
}

function answerOf(received: string): RawAnswer | undefined {
  const text = received.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')
  const end = text.indexOf('\r\n\r\n')
  const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]
  if (end === -1 || status === undefined) return undefined
  const head = text.slice(0, end)
  const length = /^content-length: (\d+)/im.exec(head)?.[1]
  const rest = text.slice(end + 4)
  return { status: Number(status), head, body: length === undefined ? rest : rest.slice(0, Number(length)) }
}
