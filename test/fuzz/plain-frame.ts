import type { DecodedFrame, FrameEntry } from '../../src/message/frame.ts'

const SID = /^TZ([0-9a-f]{16})([0-9a-f]{16})$/
const TRACE = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Reads a frame by `JSON.parse` and plain checks alone. `decodeFrame` must give the same. */
export function plainReading(bytes: Uint8Array): DecodedFrame | undefined {
  const root = parsed(bytes)
  if (Array.isArray(root)) {
    return root.length >= 1 && root.length <= 64 ? root.map(entryOf) : undefined
  }
  if (own(root, 'removed') === true && versionOf(root) === 1) {
    const removedBy = sidIn(own(root, 'sid'))
    const tMs = own(root, 't')
    return removedBy !== undefined && isTime(tMs) ? { removedBy, tMs } : undefined
  }
  const entry = entryOf(root)
  return entry === undefined ? undefined : [entry]
}

/** Counts how deep a text of JSON nests: brackets outside its strings. */
export function depthOfJson(text: string): number {
  let [depth, most] = [0, 0]
  for (const [bracket] of text.replace(/"(?:[^"\\]|\\.)*"/gs, '').matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    most = Math.max(most, depth)
  }
  return most
}

function parsed(bytes: Uint8Array): unknown {
  try {
    const text = decoder.decode(bytes)
    return depthOfJson(text) > 102 ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function entryOf(value: unknown): FrameEntry | 'newer' | undefined {
  const version = versionOf(value)
  if (version !== 1) return version === undefined ? undefined : 'newer'
  const [data, sid, tMs, tp] = ['data', 'sid', 't', 'tp'].map((name) => own(value, name))
  if (typeof data !== 'object' || data === null || Array.isArray(data) || !isTime(tMs)) return undefined
  const traceparent = isTrace(tp) ? tp : undefined
  if (sid === undefined) return { data, sid: undefined, tMs: undefined, traceparent }
  const read = sidIn(sid)
  return read === undefined ? undefined : { data, sid: read, tMs, traceparent }
}

/** Reads `v`: 1 when it is absent, and `undefined` when it is no whole number from 1 on. */
function versionOf(value: unknown): number | undefined {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  const version = isRecord && Object.keys(value).includes('v') ? own(value, 'v') : 1
  const isWhole = typeof version === 'number' && version % 1 === 0 && version <= Number.MAX_SAFE_INTEGER
  return isWhole && version >= 1 ? version : undefined
}

function own(value: unknown, name: string): unknown {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isRecord ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined
}

function sidIn(text: unknown) {
  const [, origin, digits] = (typeof text === 'string' && SID.exec(text)) || []
  if (origin === undefined) return undefined
  const sequence = BigInt(`0x${digits}`)
  return sequence >= 1n && sequence < 2n ** 53n ? { origin, sequence: Number(sequence) } : undefined
}

function isTime(tMs: unknown): tMs is number | undefined {
  return tMs === undefined || (typeof tMs === 'number' && tMs >= 0 && tMs <= Number.MAX_VALUE)
}

/** Of W3C Trace Context: an id of zeros only is none. */
function isTrace(value: unknown): value is string {
  const [, trace, parent] = (typeof value === 'string' && TRACE.exec(value)) || []
  return trace !== undefined && BigInt(`0x${trace}`) !== 0n && BigInt(`0x${parent}`) !== 0n
}
