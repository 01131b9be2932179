import { ApiError } from '../base/problem.ts'

// A message has 4 KiB; percent-encoding and ASCII escapes make at most some sixteen times as much of it.
const MAX_BODY_BYTES = 65_536

/**
 * Reads a body as `application/x-www-form-urlencoded`. Throws 54006 for more than 64 KiB, before it is read where
 * its length is declared, and 20001 for one that breaks off.
 */
export async function readForm(request: Request): Promise<Form> {
  return new Form(await readText(request))
}

/** An urlencoded form. Fields are looked for and decoded when they are asked for: a flood is refused before that. */
export class Form {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** Gives a field as it was sent; of one that is there twice, the first. */
  raw(name: string): string | undefined {
    const text = this.#text
    for (let start = 0, end = 0; start < text.length; start = end + 1) {
      const ampersand = text.indexOf('&', start)
      end = ampersand === -1 ? text.length : ampersand
      if (!text.startsWith(name, start)) continue
      const afterName = start + name.length
      if (afterName === end) return ''
      if (text[afterName] === '=') return text.slice(afterName + 1, end)
    }
    return undefined
  }

  /** Gives a field. Throws 20001 when it is not percent-encoded UTF-8. */
  get(name: string): string | undefined {
    const raw = this.raw(name)
    if (raw === undefined) return undefined
    try {
      return decodeField(raw)
    } catch {
      throw new ApiError('badRequest')
    }
  }
}

/** Decodes a field of a form; a space is `%20` or `+`. Throws what `decodeURIComponent` throws. */
export function decodeField(raw: string): string {
  const spaced = raw.includes('+') ? raw.replaceAll('+', ' ') : raw
  return spaced.includes('%') ? decodeURIComponent(spaced) : spaced
}

function readText(request: Request): Promise<string> {
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > MAX_BODY_BYTES) throw new ApiError('tooLarge')
  // The declared length holds: a server cuts a body off there.
  const text = declared === null ? readUndeclared(request) : request.text()
  return text.catch((cause) => {
    throw cause instanceof ApiError ? cause : new ApiError('badRequest')
  })
}

async function readUndeclared(request: Request): Promise<string> {
  if (request.body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > MAX_BODY_BYTES) throw new ApiError('tooLarge')
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
