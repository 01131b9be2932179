import type { IConnackPacket } from 'mqtt'
import type { Capabilities, Topic } from 'rivulet'
import type { Settings } from './options.ts'

/** What a broker says of itself when it lets a client in. */
type Claims = NonNullable<IConnackPacket['properties']>

/** Tells what a broker can do that says this of itself. */
export function capabilitiesOf(protocol: 4 | 5, settings: Settings, broker: Claims = {}): Capabilities {
  const { prefix, maxPacketBytes } = settings
  // The length of the topic takes 2 bytes, and under MQTT 5 the properties, of which there are none, take 1.
  const besideFrame = Buffer.byteLength(prefix) + (protocol === 5 ? 3 : 2)
  const packetBytes = Math.min(maxPacketBytes, broker.maximumPacketSize ?? maxPacketBytes)
  const room = largestRemainingLength(packetBytes) - besideFrame
  const maxFrameBytes = (topic: Topic) => Math.max(0, room - Buffer.byteLength(topic))
  // What a broker does not name it has (MQTT 5, 3.2.2.3).
  const { subscriptionIdentifiersAvailable = true, wildcardSubscriptionAvailable = true } = broker
  // Without them a frame of a topic that is joined, too, comes once or twice, and nothing tells which copy is which.
  const watch = protocol === 5 && subscriptionIdentifiersAvailable && wildcardSubscriptionAvailable
  // Only MQTT 5 has a subscription without one's own frames (`No Local`).
  return { scope: 'network', echoes: protocol === 4, ordered: true, watch, maxFrameBytes }
}

/** Returns how much may follow the fixed header: a type and the remaining length, which takes 1 to 4 bytes (1.5.5). */
function largestRemainingLength(packetBytes: number): number {
  if (packetBytes === Infinity) return packetBytes
  return Math.max(...[1, 2, 3, 4].map((bytes) => Math.min(packetBytes - 1 - bytes, 2 ** (7 * bytes) - 1)))
}
