import { MultiBar } from 'cli-progress'
import { dayOf, type Quake, whenOf } from './quake.ts'

/** Shows how far the replay is. */
export interface Progress {
  /** A quake was published, `published` of them so far. */
  readonly advance: (quake: Quake, published: number) => void
  /** A big quake reached a reader. */
  readonly announce: (quake: Quake) => void
  /** Ends the showing; the cursor is as it was. Idempotent. */
  readonly stop: () => void
}

/** Chooses: a bar on a terminal, plain lines elsewhere, nothing when quiet. */
export function createProgress(total: number, isTerminal: boolean, isQuiet: boolean): Progress {
  if (isQuiet) return { advance() {}, announce() {}, stop() {} }
  return isTerminal ? createBar(total) : createLines(total)
}

function createBar(total: number): Progress {
  const bars = new MultiBar({
    format: '{bar} {value}/{total} quakes | {day}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 40,
    fps: 20,
    hideCursor: true,
    stopOnComplete: false,
    gracefulExit: false,
  })
  const bar = bars.create(total, 0, { day: '' })
  return {
    advance: (quake, published) => bar.update(published, { day: dayOf(quake.properties.time) }),
    announce: (quake) => bars.log(`${announcementOf(quake)}\n`),
    // A second stop of the library would move the cursor up again.
    stop: () => {
      if (bars.isActive) bars.stop()
    },
  }
}

function createLines(total: number): Progress {
  let lastDay = ''
  return {
    advance: (quake, published) => {
      const day = dayOf(quake.properties.time)
      if (day === lastDay && published < total) return
      lastDay = day
      console.log(`${day}: ${published} of ${total} quakes published`)
    },
    announce: (quake) => console.log(announcementOf(quake)),
    stop() {},
  }
}

function announcementOf(quake: Quake): string {
  const { mag, place } = quake.properties
  return `${whenOf(quake)}  M ${mag.toFixed(1)}  ${place}`
}
