import { ApiError } from './api-error.ts'

// A message has 4 KiB; percent-encoding and ASCII escapes make at most some sixteen times as much of it.
const MAX_BODY_BYTES = 65_536

/**
 * Reads a body as `application/x-www-form-urlencoded`. Throws 54006 for more than 64 KiB, before it is read where
 * its length is declared, and 20001 for one that breaks off.
 */
export async function readForm(request: Request): Promise<Form> {
  return new Form(await readText(request))
}

/** An urlencoded form. Fields are decoded when they are asked for: a flood is refused before that. */
export class Form {
  readonly #fields = new Map<string, string>()

  constructor(text: string) {
    for (const pair of text === '' ? [] : text.split('&')) {
      const equals = pair.indexOf('=')
      const name = equals === -1 ? pair : pair.slice(0, equals)
      const isFirst = !this.#fields.has(name)
      if (isFirst) this.#fields.set(name, equals === -1 ? '' : pair.slice(equals + 1))
    }
  }

  /** Gives a field as it was sent; of one that is there twice, the first. */
  raw(name: string): string | undefined {
    return this.#fields.get(name)
  }

  /** Gives a field. Throws 20001 when it is not percent-encoded UTF-8. */
  get(name: string): string | undefined {
    const raw = this.#fields.get(name)
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
