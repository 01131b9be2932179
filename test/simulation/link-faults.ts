import { RivuletError } from 'rivulet'

/** What a link does wrong now. */
export interface LinkFaults {
  loss: number
  duplicate: number
  /** Chance that a frame takes a way of its own, which may take minutes. */
  straggle: number
  opening: 'works' | 'stalls' | 'isRefused' | 'isRefusedForGood'
  joining: 'works' | 'stalls' | 'isRefused'
  hasDeadBarriers: boolean
  isFrozen: boolean
}

/** No fault at all. */
export function noFaults(): LinkFaults {
  return {
    loss: 0,
    duplicate: 0,
    straggle: 0,
    hasDeadBarriers: false,
    isFrozen: false,
    opening: 'works' as const,
    joining: 'works' as const,
  }
}

/** Throws what a broker says that refuses a connection; nothing when it does not. */
export function throwRefusal(opening: LinkFaults['opening']): void {
  if (opening === 'isRefused') throw new Error('connection refused')
  if (opening === 'isRefusedForGood') throw new RivuletError('TRANSPORT_FAILED', 'wrong password')
}

/** What never answers. */
export async function forever(): Promise<never> {
  return new Promise(() => {})
}
