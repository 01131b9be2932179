import type { Place } from './playground-message.ts'

const FADE_MS = 1400
const WIDTH_PX = 7

interface Point extends Place {
  readonly atMs: number
}

/** The trail of one cursor. */
export class Trail {
  readonly hue: number
  points: Point[] = []

  constructor(hue: number) {
    this.hue = hue
  }

  add({ x, y }: Place, atMs: number): void {
    const last = this.points.at(-1)
    if (last === undefined || last.x !== x || last.y !== y) this.points.push({ x, y, atMs })
  }
}

/** Draws trails that fade, the older the fainter and thinner. */
export class TrailCanvas {
  readonly #canvas: HTMLCanvasElement
  readonly #context: CanvasRenderingContext2D

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas
    this.#context = canvas.getContext('2d') as CanvasRenderingContext2D
    new ResizeObserver(() => this.#fit()).observe(canvas)
    this.#fit()
  }

  draw(trails: Iterable<Trail>, nowMs: number): void {
    const { width, height } = this.#canvas
    this.#context.clearRect(0, 0, width, height)
    for (const trail of trails) {
      trail.points = trail.points.filter(({ atMs }) => nowMs - atMs < FADE_MS)
      for (let index = 1; index < trail.points.length; index++) this.#drawPart(trail, index, nowMs)
    }
  }

  #drawPart({ hue, points }: Trail, index: number, nowMs: number): void {
    const [from, to] = [points[index - 1] as Point, points[index] as Point]
    const { width, height } = this.#canvas
    const strength = 1 - (nowMs - to.atMs) / FADE_MS
    this.#context.beginPath()
    this.#context.moveTo(from.x * width, from.y * height)
    this.#context.lineTo(to.x * width, to.y * height)
    this.#context.lineWidth = WIDTH_PX * devicePixelRatio * strength
    this.#context.strokeStyle = `hsl(${hue} 80% 55% / ${strength * 0.8})`
    this.#context.stroke()
  }

  #fit(): void {
    const { clientWidth, clientHeight } = this.#canvas
    this.#canvas.width = Math.max(1, Math.round(clientWidth * devicePixelRatio))
    this.#canvas.height = Math.max(1, Math.round(clientHeight * devicePixelRatio))
  }
}
