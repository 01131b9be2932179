/** The keys of an object: in their own order, sorted, and as JSON writes them. */
export interface Shape {
  readonly keys: readonly string[]
  readonly sorted: readonly string[]
  readonly written: readonly string[]
}

/** The deepest level of remembered shapes, which bounds the memory for past messages. */
const REMEMBERED_DEPTH = 8
// All characters but those that JSON never escapes; it escapes surrogates only when unpaired.
const PERHAPS_ESCAPED = /[^ !#-[\]-\ud7ff\ue000-\uffff]/

/**
 * Returns the canonical JSON of a snapshot: keys sorted by their UTF-16 units, no white space, the same bytes on
 * every machine. `shapes` remembers the last object of each depth: the next one most often has the same keys, and
 * then nothing is sorted or quoted again.
 */
export function canonicalJson(snapshot: object, shapes: Shape[] = [], depth = 0): string {
  const { sorted, written } = shapeOf(snapshot, shapes, depth)
  let json = '{'
  for (let index = 0; index < sorted.length; index++) {
    const value: unknown = (snapshot as Record<string, unknown>)[sorted[index] as string]
    json += written[index] + write(value, shapes, depth + 1)
  }
  return `${json}}`
}

function write(value: unknown, shapes: Shape[], depth: number): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value !== 'object' || value === null) return String(value)
  if (!Array.isArray(value)) return canonicalJson(value, shapes, depth)
  return `[${value.map((element) => write(element, shapes, depth)).join(',')}]`
}

function shapeOf(record: object, shapes: Shape[], depth: number): Shape {
  const keys = Object.keys(record)
  const known = shapes[depth]
  if (known?.keys.length === keys.length && keys.every((key, index) => key === known.keys[index]))
    return known
  const sorted = [...keys].sort()
  const written = sorted.map((key, index) => `${index === 0 ? '' : ','}${quote(key)}:`)
  const shape = { keys, sorted, written }
  if (depth < REMEMBERED_DEPTH) shapes[depth] = shape
  return shape
}

function quote(text: string): string {
  return PERHAPS_ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`
}
