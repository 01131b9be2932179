import { isStreamSid, type StreamRecord } from './stream-record.ts'

/** Gives the key of a stream in the bucket: the name decides, so that creating one is atomic. */
export function keyOf(serviceSid: string, uniqueName: string | null, sid: string): string {
  // Keys take no other characters than those of base64url.
  return uniqueName === null ? `${serviceSid}.s.${sid}` : `${serviceSid}.n.${base64url(uniqueName)}`
}

/** Writes a record as the value of its key. */
export function encodeRecord(record: StreamRecord): string {
  return JSON.stringify(record)
}

/** Reads a value; `undefined` for one that no gateway wrote. */
export function decodeRecord(value: string): StreamRecord | undefined {
  try {
    const { sid, serviceSid, uniqueName, createdMs, updatedMs, expiresMs } = JSON.parse(value)
    const isNamed = uniqueName === null || typeof uniqueName === 'string'
    const areTimes = Number.isFinite(createdMs) && Number.isFinite(updatedMs)
    const isExpiry = expiresMs === null || Number.isFinite(expiresMs)
    if (!isStreamSid(sid) || typeof serviceSid !== 'string' || !isNamed || !areTimes || !isExpiry) {
      return undefined
    }
    return Object.freeze({ sid, serviceSid, uniqueName, createdMs, updatedMs, expiresMs })
  } catch {
    return undefined
  }
}

function base64url(text: string): string {
  let binary = ''
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}
