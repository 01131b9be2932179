/** What the windows tell each other: where a cursor is, or what somebody says. */
export interface PlaygroundMessage {
  readonly name: string
  readonly hue: number
  readonly x?: number
  readonly y?: number
  readonly text?: string
}

/** Where a cursor is, as fractions of the board. */
export interface Place {
  readonly x: number
  readonly y: number
}

const MAX_NAME_LENGTH = 24
const MAX_TEXT_LENGTH = 140

/** Tells whether a message is of this page: anybody may publish anything to the stream. */
export function isOfPlayground(data: object): data is PlaygroundMessage {
  const { name, hue, text } = data as Record<string, unknown>
  const isText = text === undefined || (typeof text === 'string' && text.length <= MAX_TEXT_LENGTH)
  return typeof name === 'string' && name.length <= MAX_NAME_LENGTH && isFraction(Number(hue) / 360) && isText
}

/** Gives the place in a message that has one. */
export function placeOf({ x, y }: PlaygroundMessage): Place | undefined {
  return isFraction(x) && isFraction(y) ? { x, y } : undefined
}

function isFraction(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 1
}
