import { printable } from '../base/printable.ts'
import { sizeText } from '../base/size-text.ts'
import type { StreamActivity } from './activity.ts'

/** A column of the table: its title, and how it shows a stream. */
export interface Column {
  readonly title: string
  /** The member of a stream's activity that it shows. */
  readonly member: keyof StreamActivity
  readonly text: (activity: StreamActivity) => string
}

/** The name's column; it takes the room that the others leave. */
export const NAME: Column = { title: 'stream', member: 'stream', text: ({ stream }) => printable(stream) }

/** The columns of numbers, in their order. */
export const NUMBERS: readonly Column[] = [
  {
    title: 'msg/s',
    member: 'messagesPerSecond',
    text: ({ messagesPerSecond }) => rateText(messagesPerSecond),
  },
  {
    title: 'bytes/s',
    member: 'bytesPerSecond',
    text: ({ bytesPerSecond }) => sizeText(Math.round(bytesPerSecond)),
  },
  count('publishers', 'publishers'),
  count('messages', 'messages'),
  count('missed', 'missed'),
  count('reordered', 'reordered'),
  count('dropped', 'dropped'),
]

/** Says a rate: with a decimal where a whole number would be 0 or little. */
export function rateText(perSecond: number): string {
  return perSecond >= 10 || Number.isInteger(perSecond) ? perSecond.toFixed(0) : perSecond.toFixed(1)
}

function count(title: string, member: Exclude<keyof StreamActivity, 'stream'>): Column {
  return { title, member, text: (activity) => String(activity[member]) }
}
