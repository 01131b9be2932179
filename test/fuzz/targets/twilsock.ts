import assert from 'node:assert/strict'
import { readFrame, writeFrame } from '../../../packages/twilio/src/twilsock/frame.ts'
import { requestIn, routeNameOf } from '../../../packages/twilio/src/twilsock/requests.ts'

const ROUTES = /^(?:none|POST Subscriptions|(?:POST Streams)|(?:GET|POST|DELETE) Stream|POST Messages)$/
const MAX_HEADER_BYTES = 16_384

/** Bytes that begin with a brace are a header of that line, whose length is put in front, and a payload. */
export function fuzz(bytes: Buffer): void {
  const end = bytes.indexOf(0x0a)
  if (bytes[0] !== 0x7b || end < 0) return check(bytes)
  const header = bytes.subarray(0, end)
  const first = Buffer.from(`TWILSOCK V3.0 ${header.length}\r\n`)
  check(Buffer.concat([first, header, Buffer.from('\r\n'), bytes.subarray(end + 1)]))
}

/** A Twilsock packet is read as a plain reader reads it, and the request in it has a route or none. */
function check(bytes: Buffer): void {
  const frame = readFrame(bytes)
  const plain = plainFrame(bytes)
  if (frame === undefined || plain === undefined) return assert.equal(frame, plain)
  assert.deepEqual(frame.header, plain.header)
  assert.deepEqual(Buffer.from(frame.payload), plain.payload)
  const again = readFrame(writeFrame(frame.header, frame.payload))
  // JSON knows no -0.
  const header = JSON.parse(JSON.stringify({ ...frame.header, payload_size: frame.payload.length }))
  assert.deepEqual(again?.header, header)
  assert.deepEqual(Buffer.from(again?.payload ?? []), plain.payload)
  const request = requestIn(frame)
  if (request === undefined) return
  assert.match(request.host, /^[\w.-]{1,255}(?::\d{1,5})?$/)
  assert.match(routeNameOf(request), ROUTES)
}

function plainFrame(bytes: Buffer) {
  const [first, digits] = /^TWILSOCK V3\.0 (\d{1,7})\r\n/.exec(bytes.toString('latin1')) ?? []
  if (first === undefined || Number(digits) > MAX_HEADER_BYTES) return undefined
  const headerEnd = first.length + Number(digits)
  const head = bytes.subarray(first.length, headerEnd)
  const header = objectIn(head)
  if (header === undefined || bytes.toString('latin1', headerEnd, headerEnd + 2) !== '\r\n') return undefined
  const rest = bytes.subarray(headerEnd + 2)
  const { payload_size: size = 0 } = header
  if (size === rest.length) return { header, payload: rest }
  const hasBreak = size === rest.length - 2 && rest.toString('latin1', rest.length - 2) === '\r\n'
  return hasBreak ? { header, payload: rest.subarray(0, rest.length - 2) } : undefined
}

function objectIn(head: Buffer): Record<string, unknown> | undefined {
  const text = head.toString()
  if (!Buffer.from(text).equals(head)) return undefined
  try {
    // `TextDecoder` leaves a mark of the byte order out.
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ''))
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
