import { createHub, type Hub, type HubConfigObject } from 'rivulet'
import type { CommonOptions } from '../base/common-options.ts'
import type { Run } from '../base/perform.ts'
import { openAt } from './open-at.ts'
import { brokerPlaceOf, type Place, placeOf } from './place.ts'

/** Options of a command's hub. */
export interface HubNeeds extends Omit<HubConfigObject, 'transport' | 'name'> {
  /** Whether a hub without a broker is of use. @default false */
  readonly mayBeLocal?: boolean
  /** Tells whether the command itself reports the hub's errors at the moment. @default it does not */
  readonly tellsItself?: () => boolean
}

/**
 * Opens the hub that the options, the environment or the context name, gives it to `work`, and closes it afterwards,
 * whatever happens. Errors of the hub, and the loss of its connection, are told to the user. Rejects when the broker is
 * away or refuses, and with the signal's reason.
 */
export async function withHub<Result>(
  run: Run,
  options: CommonOptions,
  { mayBeLocal = false, tellsItself = () => false, ...needs }: HubNeeds,
  work: (hub: Hub, place: Place) => Promise<Result>,
): Promise<Result> {
  const place = mayBeLocal ? placeOf(options) : brokerPlaceOf(options)
  const hub = await openIn(place, run, options, needs)
  tellOf(run, hub, tellsItself)
  try {
    return await work(hub, place)
  } finally {
    await hub.close()
  }
}

/** Without a URL the hub is one of this process. */
async function openIn(
  place: Place,
  { signal }: Run,
  { wait }: CommonOptions,
  needs: Omit<HubNeeds, 'mayBeLocal' | 'tellsItself'>,
): Promise<Hub> {
  const { urls, hub: name } = place
  if (urls.length > 0) return openAt(place, { timeoutMs: wait, signal }, needs)
  return createHub(name === undefined ? needs : { ...needs, name })
}

/** Says each error once: a broker that is away gives the same one at each try. */
function tellOf({ output }: Run, hub: Hub, tellsItself: () => boolean): void {
  const told = new Set<string>()
  let isUp = true
  hub.on('error', ({ message }) => {
    if (told.has(message) || tellsItself()) return
    told.add(message)
    output.warn(message)
  })
  hub.on('status', (status) => {
    if (status === 'down' && isUp) output.say('The connection is lost; trying again …')
    if (status === 'up' && !isUp) output.say('Connected again.')
    if (status === 'down' || status === 'up') isUp = status === 'up'
  })
}
