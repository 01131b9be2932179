import {
  GATEWAY_BOUNDS,
  type GivenLimits as Given,
  type GroupBounds,
  LISTENING_BOUNDS,
  type ListeningLimits,
  type GatewayLimits as OwnLimits,
} from '@rivulet/gateway/protocol'
import { STREAM_BOUNDS, type StreamLimits } from '../streams/stream-service.ts'
import { CONNECTION_BOUNDS, type ConnectionLimits } from '../twilsock/connections.ts'

/** The limits of Twilio's protocols, in groups. */
export interface TwilioLimits {
  /** Of listeners by Server-Sent Events. */
  readonly listeners: ListeningLimits
  /** Of the connections of Twilio's client SDKs. */
  readonly sdk: ConnectionLimits
  /** Of the streams of a service. */
  readonly streams: StreamLimits
}

/** The limits of a gateway with Twilio's protocols, in a group for each kind of client, and one for streams. */
export interface GatewayLimits extends OwnLimits, TwilioLimits {}

/** Some limits of each group; the others have their defaults. */
export type GivenLimits = Given<GatewayLimits>

/** The bounds of the limits of Twilio's protocols. */
export const TWILIO_BOUNDS: GroupBounds<TwilioLimits> = {
  listeners: LISTENING_BOUNDS,
  sdk: CONNECTION_BOUNDS,
  streams: STREAM_BOUNDS,
}

/** Least value, default and greatest value of each limit, in groups. */
export const LIMIT_BOUNDS: GroupBounds<GatewayLimits> = {
  listeners: LISTENING_BOUNDS,
  ...GATEWAY_BOUNDS,
  sdk: CONNECTION_BOUNDS,
  streams: STREAM_BOUNDS,
}
