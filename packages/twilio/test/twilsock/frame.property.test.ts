import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readFrame, writeFrame } from '../../src/twilsock/frame.ts'
import { parseFrame } from '../support/raw-sdk.ts'

const header = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()).map(
  // JSON knows no -0, and each frame has the size of its payload.
  (value) => JSON.parse(JSON.stringify({ ...value, payload_size: undefined })) as object,
)
const payload = fc.uint8Array({ maxLength: 300 })
const lineBreak = Uint8Array.of(13, 10)

test('a frame that was written is read as it was', () => {
  fc.assert(
    fc.property(header, payload, fc.boolean(), (head, body, hasLineBreak) => {
      const frame = writeFrame(head, body)
      const read = readFrame(hasLineBreak ? Uint8Array.of(...frame, ...lineBreak) : frame)
      expect(read?.header).toEqual({ ...head, payload_size: body.length })
      expect([...(read?.payload ?? [])]).toEqual([...body])
    }),
  )
})

test('a frame that was written is read by other code', () => {
  fc.assert(
    fc.property(header, fc.jsonValue(), (head, value) => {
      const json = JSON.stringify(value)
      const read = parseFrame(writeFrame(head, new TextEncoder().encode(json)))
      expect(read.header).toMatchObject(head)
      expect(read.payload).toEqual(JSON.parse(json))
    }),
  )
})

test('bytes of any kind are read or refused, never thrown at', () => {
  const start = new TextEncoder().encode('TWILSOCK V3.0 ')
  const bytes = fc.uint8Array({ maxLength: 200 })
  fc.assert(
    fc.property(
      fc.oneof(
        bytes,
        bytes.map((rest) => Uint8Array.of(...start, ...rest)),
      ),
      (given) => {
        const frame = readFrame(given)
        expect(frame === undefined || typeof frame.header === 'object').toBe(true)
      },
    ),
  )
})

test('a frame that is cut or changed by a byte is refused, or another frame', () => {
  fc.assert(
    fc.property(header, payload, fc.nat(), fc.integer({ min: 0, max: 255 }), (head, body, where, byte) => {
      const frame = writeFrame(head, body)
      const cut = frame.subarray(0, where % frame.length)
      expect(readFrame(cut)).toBeUndefined()
      const changed = frame.slice()
      changed[where % frame.length] = byte
      const read = readFrame(changed)
      // A line break at its end may have become the one that is allowed to follow.
      if (read !== undefined) expect([body.length, body.length - 2]).toContain(read.payload.length)
    }),
  )
})
