import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { type DecodedFrame, decodeFrame, isRemoval, lastSid } from '../../../src/message/frame.ts'
import type { Sid } from '../../../src/message/sid.ts'
import { plainReading } from '../plain-frame.ts'

/** Values for the origin of the last frame: none, that of the seeds, and that of another publisher. */
const ORIGINS = [undefined, '0123456789abcdef', 'feedfacecafebeef']

/** Reads a frame as a plain reader does, whatever the last origin was; the quick looks at its ends agree with that. */
export function fuzz(bytes: Buffer): void {
  const plain = plainReading(bytes)
  for (const origin of ORIGINS) {
    assert.ok(isDeepStrictEqual(decodeFrame(bytes, origin), plain), 'the plain reader reads something else')
    const sid = lastSid(bytes, origin)
    if (sid === undefined || plain === undefined) continue
    const last = lastIn(plain)
    if (last !== undefined) assert.deepEqual(sid, last, 'the last sid is another one')
  }
  if (plain !== undefined && isRemoval(bytes))
    assert.ok('removedBy' in plain || plain[0] === 'newer' || isReplaced(bytes))
}

/** The sid of a removal or of the last message; one of a newer version has none that is known. */
function lastIn(frame: DecodedFrame): Sid | undefined {
  if ('removedBy' in frame) return frame.removedBy
  const last = frame.at(-1)
  return last === 'newer' ? undefined : last?.sid
}

/** Whether a second `removed` follows: `isRemoval` looks at the first bytes only. */
function isReplaced(bytes: Buffer): boolean {
  return JSON.parse(bytes.toString()).removed !== true
}
