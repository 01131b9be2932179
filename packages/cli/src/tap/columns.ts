import { printable } from '../base/printable.ts'
import { sizeText } from '../base/size-text.ts'
import type { StreamActivity } from './activity.ts'

/** A column of the table: its title, and its text for a stream. */
export interface Column {
  readonly title: string
  readonly text: (activity: StreamActivity) => string
}

/** The name's column; it takes the remaining width. */
export const NAME: Column = { title: 'stream', text: ({ stream }) => printable(stream) }

/** The columns of numbers, in their order. */
export const NUMBERS: readonly Column[] = [
  { title: 'msg/s', text: ({ messagesPerSecond }) => rateText(messagesPerSecond) },
  { title: 'bytes/s', text: ({ bytesPerSecond }) => sizeText(Math.round(bytesPerSecond)) },
  count('publishers'),
  count('messages'),
  count('missed'),
  count('reordered'),
  count('dropped'),
]

/** Formats a rate: small ones with a decimal. */
export function rateText(perSecond: number): string {
  return perSecond >= 10 || Number.isInteger(perSecond) ? perSecond.toFixed(0) : perSecond.toFixed(1)
}

function count(member: 'publishers' | 'messages' | 'missed' | 'reordered' | 'dropped'): Column {
  return { title: member, text: (activity) => String(activity[member]) }
}
