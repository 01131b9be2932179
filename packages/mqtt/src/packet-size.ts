// What a PUBLISH or a SUBSCRIBE has at most beside name and frame: type, length, ids, properties, options.
const OVERHEAD_BYTES = 12
// The largest packet that the protocol can write, MQTT 5 1.5.5.
const MAX_PACKET_BYTES = 268_435_455

/** Gives the largest frame that fits beside the topic's full name. */
export function maxFrameBytesOf(maxPacketBytes: number, name: string): number {
  return Math.max(0, maxPacketBytes - OVERHEAD_BYTES - byteLength(name))
}

/** Tells whether a packet stays within the limit; the broker would cut the connection otherwise. */
export function fitsPacket(maxPacketBytes: number, name: string, frame: Uint8Array | string): boolean {
  const room = Math.min(maxPacketBytes, MAX_PACKET_BYTES) - OVERHEAD_BYTES
  // A UTF-16 unit is at most three bytes of UTF-8, so that nearly no frame has to be measured.
  return 3 * (name.length + frame.length) <= room || byteLength(name) + byteLength(frame) <= room
}

function byteLength(data: Uint8Array | string): number {
  return typeof data === 'string' ? new TextEncoder().encode(data).length : data.length
}
