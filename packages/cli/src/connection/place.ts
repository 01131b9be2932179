import type { CommonOptions } from '../base/common-options.ts'

/** Where a hub is. */
export interface Place {
  /** URLs of the servers; none for a hub of this process only. */
  readonly urls: readonly string[]
  /** The hub's name; `undefined` for that in the URL, else `default`. */
  readonly hub: string | undefined
}

/** Finds where the hub is: by the options, else by the environment. */
export function placeOf({ url, hub }: CommonOptions): Place {
  const { RIVULET_URL = '', RIVULET_HUB } = process.env
  return {
    urls: url ?? RIVULET_URL.split(/\s+/).filter(Boolean),
    hub: hub ?? (RIVULET_HUB || undefined),
  }
}
