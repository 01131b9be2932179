import type { Topic } from 'rivulet'
import type { Probe } from './probe.ts'
import { type CheckResult, ok, skipped, warning } from './result.ts'

/** A message of the largest default size, with the overhead of a frame. */
const MESSAGE_FRAME_BYTES = 4096 + 128

const REACH = Object.freeze({
  process: 'within this process',
  host: 'on this machine',
  network: 'over the network',
})

/** Reports the limits of the broker and its protocol, as known to the transport. */
export function allowanceResults({ transport }: Probe, topic: Topic, urls: readonly string[]): CheckResult[] {
  const { scope, echoes, ordered } = transport.capabilities
  const isMqtt = urls[0]?.startsWith('mqtt') === true
  return [
    ok('reach', `frames travel ${REACH[scope]}`),
    frameSize(transport.capabilities.maxFrameBytes(topic)),
    ok(
      'own frames',
      echoes ? 'the broker sends them back, and hubs drop them' : 'the broker does not send them back',
    ),
    ordered
      ? ok('order', "a publisher's messages keep their order")
      : warning(
          'order',
          "a publisher's messages may change their order",
          'Count on `reordered` in the ledger.',
        ),
    ...(isMqtt ? [skipped('retained', 'the transport does not tell whether the broker keeps messages')] : []),
  ]
}

function frameSize(maxBytes: number): CheckResult {
  if (maxBytes === Infinity) return ok('largest frame', 'the broker names no limit')
  const text = `${maxBytes.toLocaleString('en')} bytes`
  if (maxBytes >= MESSAGE_FRAME_BYTES) return ok('largest frame', text)
  return warning(
    'largest frame',
    text,
    'A message of 4096 bytes does not fit: raise the limit of the broker, or lower maxBytes of the streams.',
  )
}
