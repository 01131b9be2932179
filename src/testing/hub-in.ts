import { type Environment, Hub, type HubOptions } from 'rivulet'

/**
 * Opens a hub in an environment of your own: all that it does with time and chance goes through it. `createHub` is
 * the same with the runtime's own. Throws `INVALID_OPTIONS`, `INVALID_NAME`.
 */
export function createHubIn(environment: Environment, options: HubOptions = {}): Hub {
  return new Hub(options, environment)
}
