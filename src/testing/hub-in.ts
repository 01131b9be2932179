import { type Environment, Hub, type HubOptions } from 'rivulet'

/**
 * Opens a hub in a given environment, the source of all its time and random numbers. `createHub` uses that of the
 * runtime. Throws `INVALID_OPTIONS`, `INVALID_NAME`.
 */
export function createHubIn(environment: Environment, options: HubOptions = {}): Hub {
  return new Hub(options, environment)
}
