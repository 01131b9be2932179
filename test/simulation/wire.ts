/** A message, or a removal, as a frame names it. */
export interface Named {
  readonly sid: string
  readonly origin: string
  readonly sequence: number
  readonly tMs: number
  /** The number that the workload put into the data. */
  readonly n: unknown
}

/** What a frame holds, read by other means than the library's. */
export interface FrameContent {
  /** Those that have a sid of the right form. */
  readonly named: readonly Named[]
  /** How many messages, malformed ones too; a frame that is malformed as a whole is one. */
  readonly messages: number
  readonly isRemoval: boolean
}

const LARGEST_BYTES = 320 * 1024
const MOST_MESSAGES = 64
const KEPT = 64
const SID = /^TZ([0-9a-f]{16})([0-9a-f]{16})$/
const MALFORMED: FrameContent = { named: [], messages: 1, isRemoval: false }
const decoder = new TextDecoder()

/** Reads frames; remembers the last, since each receiver gets a copy of its own. */
export class FrameReader {
  readonly #recent = new Map<string, FrameContent>()

  read(bytes: Uint8Array): FrameContent {
    if (bytes.length > LARGEST_BYTES) return MALFORMED
    const text = decoder.decode(bytes)
    const known = this.#recent.get(text)
    if (known !== undefined) return known
    const content = readFrame(text)
    if (this.#recent.size === KEPT) this.#recent.clear()
    this.#recent.set(text, content)
    return content
  }
}

function readFrame(text: string): FrameContent {
  try {
    const root: unknown = JSON.parse(text)
    const entries = Array.isArray(root) ? root : [root]
    if (entries.length === 0 || entries.length > MOST_MESSAGES) return MALFORMED
    const isRemoval = (root as { removed?: unknown })?.removed === true
    return { named: entries.flatMap(namedIn), messages: isRemoval ? 0 : entries.length, isRemoval }
  } catch {
    return MALFORMED
  }
}

function namedIn(entry: { sid?: unknown; t?: unknown; data?: { n?: unknown } } | null): Named[] {
  const sid = String(entry?.sid)
  const [, origin, digits] = SID.exec(sid) ?? []
  const sequence = Number.parseInt(digits ?? '', 16)
  if (origin === undefined || !Number.isSafeInteger(sequence)) return []
  return [{ sid, origin, sequence, tMs: Number(entry?.t), n: entry?.data?.n }]
}

/** Returns the name of the stream that has a topic. */
export function nameIn(topic: string): string {
  return decodeURIComponent(topic.split('/')[2] as string)
}

/** Writes a sid. */
export function sidOf(origin: string, sequence: number): string {
  return `TZ${origin}${sequence.toString(16).padStart(16, '0')}`
}

/** Describes a frame for the log. */
export function describe({ named, messages, isRemoval }: FrameContent): string {
  if (isRemoval) return `a removal ${named[0]?.sid}`
  const first = named[0]
  return first === undefined ? `${messages} strange` : `${messages} from ${first.sid} (n=${String(first.n)})`
}
