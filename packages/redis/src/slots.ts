import { ErrorReply } from '@redis/client'
import type { Topic } from 'rivulet'

const SLOTS = 16_384

/** Slots of a cluster and their owner; without a host the owner is the server asked. */
export interface SlotRange {
  readonly first: number
  readonly last: number
  readonly host: string | undefined
  readonly port: number
}

type Command = (args: string[]) => Promise<unknown>
/** First and last slot; the owner as host and port; its replicas. */
type SlotsReply = readonly [number, number, readonly [string | null, number], ...unknown[]][]

/**
 * Asks a server for the owners of the slots. Resolves to `undefined` when it is part of no cluster. Rejects when no
 * node of its cluster has slots, as before the cluster is created, since that change is not announced.
 */
export async function readSlots(command: Command): Promise<SlotRange[] | undefined> {
  try {
    const reply = (await command(['CLUSTER', 'SLOTS'])) as SlotsReply
    if (reply.length === 0) throw new Error('its cluster has no slots yet')
    const ranges = reply.map(([first, last, [host, port]]) => ({
      first,
      last,
      host: host || undefined,
      port,
    }))
    return ranges.sort((one, other) => one.first - other.first)
  } catch (cause) {
    if (cause instanceof ErrorReply && /cluster support disabled/.test(cause.message)) return undefined
    throw cause
  }
}

/** Returns whether a node's slots before are all still its own after. */
export function keepsSlots(
  before: readonly SlotRange[],
  after: readonly SlotRange[],
  isOwn: (range: SlotRange) => boolean,
): boolean {
  const own = after.filter(isOwn)
  return before
    .filter(isOwn)
    .every(({ first, last }) => own.some((range) => range.first <= first && last <= range.last))
}

/** Returns the slot of a topic: CRC-16 (XMODEM) of its ASCII. A topic contains no braces, so it has no hash tag. */
export function slotOf(topic: Topic): number {
  let crc = 0
  for (let index = 0; index < topic.length; index += 1) {
    crc ^= topic.charCodeAt(index) << 8
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  }
  return (crc & 0xffff) % SLOTS
}
