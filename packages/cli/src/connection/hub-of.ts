import { createHub, type Hub, type HubConfigObject } from 'rivulet'
import type { CommonOptions } from '../base/common-options.ts'
import type { Run } from '../base/perform.ts'
import { openAt } from './open-at.ts'
import { brokerPlaceOf, type Place, placeOf } from './place.ts'

/** Options of a command's hub. */
export interface HubNeeds extends Omit<HubConfigObject, 'transport' | 'name'> {
  /** Whether a hub without a broker is allowed. @default false */
  readonly mayBeLocal?: boolean
  /** Returns whether the command itself reports the hub's errors now. @default false */
  readonly reportsErrors?: () => boolean
}

/**
 * Opens the hub of the options, the environment or the context, passes it to `work`, and always closes it afterwards.
 * Warns the user of the hub's errors and of the loss of its connection. Rejects when the broker is unavailable or
 * refuses, and with the signal's reason.
 */
export async function withHub<Result>(
  run: Run,
  options: CommonOptions,
  { mayBeLocal = false, reportsErrors = () => false, ...needs }: HubNeeds,
  work: (hub: Hub, place: Place) => Promise<Result>,
): Promise<Result> {
  const place = mayBeLocal ? placeOf(options) : brokerPlaceOf(options)
  const hub = await openIn(place, run, options, needs)
  warnOfErrors(run, hub, reportsErrors)
  try {
    return await work(hub, place)
  } finally {
    await hub.close()
  }
}

/** Opens the hub; without a URL a hub of this process. */
async function openIn(
  place: Place,
  { signal }: Run,
  { wait }: CommonOptions,
  needs: Omit<HubNeeds, 'mayBeLocal' | 'reportsErrors'>,
): Promise<Hub> {
  const { urls, hub: name } = place
  if (urls.length > 0) return openAt(place, { timeoutMs: wait, signal }, needs)
  return createHub(name === undefined ? needs : { ...needs, name })
}

/** Warns of each error once: an unavailable broker causes the same one at each attempt. */
function warnOfErrors({ output }: Run, hub: Hub, reportsErrors: () => boolean): void {
  const warned = new Set<string>()
  let isUp = true
  hub.on('error', ({ message }) => {
    if (warned.has(message) || reportsErrors()) return
    warned.add(message)
    output.warn(message)
  })
  hub.on('status', (status) => {
    if (status === 'down' && isUp) output.say('The connection is lost; trying again …')
    if (status === 'up' && !isUp) output.say('Connected again.')
    if (status === 'down' || status === 'up') isUp = status === 'up'
  })
}
