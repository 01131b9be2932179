import { invalid, shown } from '../errors/errors.ts'
import type { SignalOption } from '../state/options.ts'
import type { Tap, TapListener } from '../tap/tap.ts'
import { Hub } from './hub.ts'

/**
 * Calls `listener` with every message that other processes publish on any stream of the hub, until `signal` aborts or
 * it is unsubscribed. For tools: it joins no stream, changes no stream's ledger, checks form, repeats and a size of
 * 65 536 bytes, and applies no limit, age or schema. Its `ready` rejects where the broker denies that, or the
 * transport can't (capability `watch`). Throws `HUB_CLOSED`, and `INVALID_OPTIONS` on a hub without a transport.
 */
export function tapHub(hub: Hub, listener: TapListener, options?: SignalOption): Tap {
  if (!(hub instanceof Hub)) throw invalid(`tapHub takes a hub of createHub or openHub, not ${shown(hub)}.`)
  return Hub.wiringOf(hub).tap(listener, options)
}
