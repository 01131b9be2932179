import { byId, element } from './elements.ts'
import type { Place } from './playground-message.ts'
import { Trail, TrailCanvas } from './trails.ts'

const FORGET_AFTER_MS = 10_000
const SAY_MS = 5000
const MAX_CURSORS = 100
/** How much of the way to where it should be a cursor goes in a frame: few positions a second look smooth. */
const PULL = 0.25
const ARRIVED = 0.0005

/** A cursor that is to be shown. */
interface Showing {
  readonly name: string
  readonly hue: number
  readonly isMine: boolean
  readonly place: Place | undefined
  readonly text: string | undefined
}

interface Cursor {
  readonly element: HTMLElement
  readonly name: HTMLElement
  readonly bubble: HTMLElement
  readonly isMine: boolean
  trail: Trail
  target: Place
  shown: Place
  seenMs: number
  saidMs: number
}

/** Shows cursors with their names, what they say, and the trails that they leave. */
export class Board {
  readonly #board = byId('board')
  readonly #canvas = new TrailCanvas(byId<HTMLCanvasElement>('trails'))
  readonly #cursors = new Map<string, Cursor>()
  readonly #isCalm = matchMedia('(prefers-reduced-motion: reduce)')

  constructor() {
    const draw = (nowMs: number) => {
      this.#draw(nowMs)
      requestAnimationFrame(draw)
    }
    requestAnimationFrame(draw)
  }

  /** Shows what a publisher has told. */
  show(id: string, { name, hue, isMine, place, text }: Showing): void {
    const cursor = this.#cursors.get(id) ?? this.#add(id, isMine, hue, place)
    if (cursor === undefined) return
    const nowMs = performance.now()
    cursor.seenMs = nowMs
    cursor.name.textContent = isMine ? `${name} (you)` : name
    if (cursor.trail.hue !== hue) cursor.trail = new Trail(hue)
    cursor.element.style.setProperty('--hue', String(hue))
    if (place !== undefined) cursor.target = place
    if (text === undefined) return
    cursor.bubble.textContent = text
    cursor.saidMs = nowMs
  }

  /** Takes all cursors off. */
  clear(): void {
    for (const cursor of this.#cursors.values()) cursor.element.remove()
    this.#cursors.clear()
  }

  #add(id: string, isMine: boolean, hue: number, place: Place = { x: 0.5, y: 0.5 }): Cursor | undefined {
    if (this.#cursors.size >= MAX_CURSORS) return undefined
    const made = element('div', isMine ? 'cursor mine' : 'cursor')
    made.dataset.id = id
    const name = element('span', 'name')
    const bubble = element('span', 'bubble')
    made.append(name, bubble)
    this.#board.append(made)
    const times = { seenMs: performance.now(), saidMs: -Infinity }
    const cursor = {
      element: made,
      name,
      bubble,
      isMine,
      trail: new Trail(hue),
      target: place,
      shown: place,
      ...times,
    }
    this.#cursors.set(id, cursor)
    return cursor
  }

  #draw(nowMs: number): void {
    for (const [id, cursor] of this.#cursors) {
      if (!cursor.isMine && nowMs - cursor.seenMs > FORGET_AFTER_MS) this.#forget(id, cursor)
      cursor.bubble.hidden = nowMs - cursor.saidMs > SAY_MS
      this.#pull(cursor, nowMs)
    }
    const trails = this.#isCalm.matches ? [] : [...this.#cursors.values()].map(({ trail }) => trail)
    this.#canvas.draw(trails, nowMs)
  }

  #pull(cursor: Cursor, nowMs: number): void {
    const { target, shown } = cursor
    const [right, down] = [target.x - shown.x, target.y - shown.y]
    const isThere = cursor.isMine || this.#isCalm.matches || Math.hypot(right, down) < ARRIVED
    cursor.shown = isThere ? target : { x: shown.x + right * PULL, y: shown.y + down * PULL }
    cursor.element.style.left = `${cursor.shown.x * 100}%`
    cursor.element.style.top = `${cursor.shown.y * 100}%`
    cursor.element.classList.toggle('at-right', cursor.shown.x > 0.6)
    cursor.trail.add(cursor.shown, nowMs)
  }

  #forget(id: string, cursor: Cursor): void {
    cursor.element.remove()
    this.#cursors.delete(id)
  }
}
