import {
  type GatewayOptions as BareOptions,
  createGateway as createBareGateway,
  type Gateway,
} from '@rivulet/gateway'
import { checkNames, invalid, limitsOf, OPTION_NAMES, refuseFormerLimits } from '@rivulet/gateway/protocol'
import type { TwilsockHandler, TwilsockSocket } from '../twilsock/socket.ts'
import { type GivenLimits, LIMIT_BOUNDS } from './limits.ts'
import { TWILIO_NAMES, type TwilioOptions } from './twilio-options.ts'
import { type TwilioProtocol, twilio } from './twilio-protocol.ts'

/** The options of a gateway with Twilio's protocols. Either `hub` or `services`, and either `keys` or `open`. */
export interface GatewayOptions
  extends Omit<BareOptions, 'protocol' | 'limits'>,
    Omit<TwilioOptions, 'limits'> {
  /**
   * The limits that differ from the defaults, by group: `listeners`, `pages`, `sdk` (Twilio's client SDKs) and `streams`.
   * Each is a whole number, e.g. `limits: { pages: { burst: 60 } }`. @default those of `GatewayLimits`
   */
  readonly limits?: GivenLimits | undefined
}

/** A gateway that serves Twilio's protocols. */
export interface TwilioGateway extends Gateway {
  /** The path at which servers take the WebSockets of client SDKs, or `undefined` when they are not served. */
  readonly twilsockPath: string | undefined
  /**
   * Takes over a WebSocket that a server has accepted at `twilsockPath`, without a subprotocol and for messages of
   * at most 1 MiB. The server reports its events by the methods given. Its first message carries the token.
   */
  acceptTwilsock(socket: TwilsockSocket): TwilsockHandler
}

const { protocol: _, ...GATEWAY_NAMES } = OPTION_NAMES
const NAMES = { ...GATEWAY_NAMES, ...TWILIO_NAMES }

/**
 * Puts hubs behind Twilio Sync's HTTP API, as a web-standard handler: mount `gateway.fetch` in a server, or give
 * the gateway to `serve`. Throws `INVALID_OPTIONS`.
 */
export function createGateway(options: GatewayOptions): TwilioGateway {
  refuseFormerLimits(options)
  checkNames(options, NAMES)
  const { registry, twilsock, limits: given, ...others } = options
  const { pages, ...limits } = limitsOf(given, LIMIT_BOUNDS)
  const mount = twilio({ registry, twilsock, limits })
  let mounted: TwilioProtocol | undefined
  const gateway = createBareGateway({
    ...others,
    limits: { pages },
    protocol: (host) => {
      mounted = mount(host)
      return mounted
    },
  })
  if (mounted === undefined) throw invalid('The gateway has mounted no protocol.')
  return withTwilsock(gateway, mounted, options.basePath)
}

/** Adds the members that are Twilio's alone. */
function withTwilsock(gateway: Gateway, protocol: TwilioProtocol, basePath = ''): TwilioGateway {
  const [endpoint] = protocol.sockets
  return Object.assign(gateway, {
    twilsockPath: endpoint === undefined ? undefined : `${basePath}${endpoint.path}`,
    acceptTwilsock: (socket: TwilsockSocket) => protocol.accept(socket),
  })
}
