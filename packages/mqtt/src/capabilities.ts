import type { IConnackPacket } from 'mqtt'
import type { Capabilities, Topic } from 'rivulet'
import type { Settings } from './options.ts'

/** The properties of a broker's CONNACK. */
type Claims = NonNullable<IConnackPacket['properties']>

/** Returns the capabilities of a broker with these properties. */
export function capabilitiesOf(
  protocol: 4 | 5,
  { prefix, maxPacketBytes }: Pick<Settings, 'prefix' | 'maxPacketBytes'>,
  broker: Claims = {},
): Capabilities {
  // The length of the topic takes 2 bytes, and under MQTT 5 the empty list of properties takes 1.
  const besideFrame = Buffer.byteLength(prefix) + (protocol === 5 ? 3 : 2)
  const packetBytes = Math.min(maxPacketBytes, broker.maximumPacketSize ?? maxPacketBytes)
  const room = largestRemainingLength(packetBytes) - besideFrame
  const maxFrameBytes = (topic: Topic) => Math.max(0, room - Buffer.byteLength(topic))
  // A feature that the broker does not mention is available (MQTT 5, 3.2.2.3).
  const { subscriptionIdentifiersAvailable = true, wildcardSubscriptionAvailable = true } = broker
  // Without them a frame on a joined topic arrives once or twice, and the copies cannot be distinguished.
  const watch = protocol === 5 && subscriptionIdentifiersAvailable && wildcardSubscriptionAvailable
  // Only MQTT 5 has subscriptions without own frames (`No Local`).
  return { scope: 'network', echoes: protocol === 4, ordered: true, watch, maxFrameBytes }
}

/** Returns the bytes allowed after the fixed header: a type and the remaining length of 1 to 4 bytes (1.5.5). */
function largestRemainingLength(packetBytes: number): number {
  if (packetBytes === Infinity) return packetBytes
  return Math.max(...[1, 2, 3, 4].map((bytes) => Math.min(packetBytes - 1 - bytes, 2 ** (7 * bytes) - 1)))
}
