import {
  encodeText,
  KIND,
  MAX_PAGE_FRAME_BYTES,
  PROTOCOL_VERSION,
  type WelcomeMessage,
} from '@rivulet/websocket/protocol'
import type { Topic } from 'rivulet'

/** The longest topic leaves the smallest frame, so its limit holds for all topics. */
const LONGEST_TOPIC = `rivulet/${'h'.repeat(64)}/${'%FF'.repeat(960)}` as Topic

/** The capabilities of a transport that concern frames. */
interface Claims {
  readonly ordered: boolean
  maxFrameBytes(topic: Topic): number
}

/** Writes what the server says first to a page whose frames pass. */
export function encodeWelcome(
  { ordered, maxFrameBytes }: Claims,
  prefixes: readonly string[],
  expiresInMs: number | undefined,
): Uint8Array {
  const welcome: WelcomeMessage = {
    version: PROTOCOL_VERSION,
    maxFrameBytes: Math.max(1, Math.min(MAX_PAGE_FRAME_BYTES, maxFrameBytes(LONGEST_TOPIC))),
    ordered,
    prefixes,
    expiresInMs,
  }
  return encodeText(KIND.welcome, JSON.stringify(welcome))
}
