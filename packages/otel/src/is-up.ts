import type { Hub } from 'rivulet'

/** Returns whether a hub's messages can reach their receivers: it is `up`, or has no transport. */
export function isUp({ status }: Hub): boolean {
  return status === 'up' || status === 'local'
}
