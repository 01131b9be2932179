import { checkNames, type GivenLimits, invalid, limitsOf, switchOf } from '@rivulet/gateway/protocol'
import { memoryRegistry } from '../registry/memory-registry.ts'
import type { StreamRegistry } from '../registry/registry.ts'
import { TWILIO_BOUNDS, type TwilioLimits } from './limits.ts'

/** The options of Twilio's protocols. */
export interface TwilioOptions {
  /** Knows which streams there are. @default memoryRegistry() */
  readonly registry?: StreamRegistry | undefined
  /** Whether Twilio's client SDKs are served, at `/v3/wsconnect`. They need keys. @default true with keys */
  readonly twilsock?: boolean | undefined
  /**
   * The limits that differ from the defaults, by group: `listeners`, `sdk` (Twilio's client SDKs) and `streams`. Each is
   * a whole number, e.g. `limits: { sdk: { maxPerIdentity: 5 } }`. @default those of `TwilioLimits`
   */
  readonly limits?: GivenLimits<TwilioLimits> | undefined
}

/** Options with the defaults filled in that do not depend on the gateway. */
export interface ResolvedTwilioOptions {
  readonly registry: StreamRegistry
  /** `undefined` for what depends on whether the gateway has keys. */
  readonly twilsock: boolean | undefined
  readonly limits: TwilioLimits
}

/** Every option. */
export const TWILIO_NAMES: Readonly<Record<keyof TwilioOptions, true>> = {
  registry: true,
  twilsock: true,
  limits: true,
}

/** Checks the options. Throws `INVALID_OPTIONS`. */
export function resolveOptions(options: TwilioOptions): ResolvedTwilioOptions {
  checkNames(options, TWILIO_NAMES)
  const { registry, twilsock, limits } = options
  return Object.freeze({
    registry: registry ?? memoryRegistry(),
    twilsock: twilsock === undefined ? undefined : switchOf('twilsock', twilsock),
    limits: limitsOf(limits, TWILIO_BOUNDS),
  })
}

/** Returns whether client SDKs are served by a gateway. Throws `INVALID_OPTIONS` for one without keys. */
export function isTwilsockServed({ twilsock }: ResolvedTwilioOptions, isOpen: boolean): boolean {
  if (twilsock === true && isOpen) throw invalid('Client SDKs come with tokens, so twilsock needs keys.')
  return twilsock ?? !isOpen
}
