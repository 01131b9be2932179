import type { Hub, Tap } from 'rivulet'
import { countText } from '../base/count-text.ts'
import { printable } from '../base/printable.ts'
import { sumOf } from '../base/sum.ts'
import { Activity, type StreamActivity } from './activity.ts'
import { activityLines } from './activity-table.ts'
import { rateText } from './columns.ts'
import { cutToWidth } from './cut-to-width.ts'
import { LiveScreen } from './live-screen.ts'

/** Options of a table of streams. */
export interface LiveTableOptions {
  /** Returns whether to show a stream of that name. @default all */
  readonly isWanted?: ((name: string) => boolean) | undefined
  /** Milliseconds between samples. @default 1000 */
  readonly everyMs?: number | undefined
  /** The terminal. On another output nothing is shown before the end. @default standard output */
  readonly terminal?: NodeJS.WriteStream | undefined
}

/** A table of the activity of a hub's streams. */
export interface LiveTable {
  /** Removes the table, and returns its current lines: as wide as the terminal, with every stream. */
  stop(): readonly string[]
}

const EVERY_MS = 1000
/** Assumed width without a terminal. */
const USUAL_WIDTH = 100
const HEAD_LINES = 2

/** Shows a tap's activity on the alternate screen until stopped. Does not close the tap. */
export function showLiveTable(hub: Hub, tap: Tap, options: LiveTableOptions = {}): LiveTable {
  const { isWanted = () => true, everyMs = EVERY_MS, terminal = process.stdout } = options
  const activity = new Activity(tap, isWanted, performance.now())
  const beganMs = performance.now()
  let activities = activity.sample(beganMs)
  const draw = () => screen?.draw(screenLines(hub, activities, screen))
  const screen = terminal.isTTY === true ? new LiveScreen(terminal, draw) : undefined
  const timer = setInterval(() => {
    activities = activity.sample(performance.now())
    draw()
  }, everyMs)
  draw()
  return {
    stop() {
      clearInterval(timer)
      screen?.close()
      // At the end the rates are averages over the whole time.
      const whole = new Activity(tap, isWanted, beganMs).sample(performance.now())
      return activityLines(whole, terminal.columns || USUAL_WIDTH, Infinity)
    },
  }
}

function screenLines(
  hub: Hub,
  activities: readonly StreamActivity[],
  { width, height }: LiveScreen,
): readonly string[] {
  const rate = sumOf(activities.map(({ messagesPerSecond }) => messagesPerSecond))
  const messages = sumOf(activities.map(({ messages }) => messages))
  const status = hub.status === 'up' ? '' : ` (${hub.status})`
  const title = `hub ${printable(hub.name)}${status}: ${countText(activities.length, 'stream')}, ${countText(messages, 'message')}, ${rateText(rate)}/s. Ctrl-C ends.`
  return [cutToWidth(title, width), '', ...activityLines(activities, width, height - HEAD_LINES)]
}
