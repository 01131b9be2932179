import { byId } from './elements.ts'
import type { Place } from './playground-message.ts'

const STEP = 0.02
const STEPS: Readonly<Record<string, readonly [right: number, down: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}

/** Tells where the pointer, a finger or the arrow keys move the own cursor. */
export function followPointer(current: () => Place, moved: (place: Place) => void): void {
  const board = byId('board')
  board.addEventListener('pointermove', ({ clientX, clientY }) => {
    const { left, top, width, height } = board.getBoundingClientRect()
    moved(inside((clientX - left) / width, (clientY - top) / height))
  })
  board.addEventListener('keydown', (event) => {
    const [right, down] = STEPS[event.key] ?? []
    if (right === undefined || down === undefined) return
    event.preventDefault()
    const { x, y } = current()
    moved(inside(x + right * STEP, y + down * STEP))
  })
}

/** Gives the place of a cursor that moves by itself, in curves that do not repeat for long. */
export function wander(atMs: number, phase: number): Place {
  const seconds = atMs / 1000 + phase
  return inside(0.5 + 0.36 * Math.sin(seconds * 1.1), 0.5 + 0.36 * Math.sin(seconds * 1.7 + phase))
}

function inside(x: number, y: number): Place {
  return { x: fraction(x), y: fraction(y) }
}

function fraction(value: number): number {
  return Math.round(Math.min(Math.max(value, 0), 1) * 1000) / 1000
}
