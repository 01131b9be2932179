import { ApiError } from '@rivulet/gateway/protocol'
import { PROBLEMS } from '../base/problem.ts'

/** A message has 4 KiB; percent-encoding and ASCII escapes make at most some sixteen times as much of it. */
export const MAX_BODY_BYTES = 65_536
const FORM_TYPE = /^application\/x-www-form-urlencoded *(;|$)/i
// curl -d calls everything a form.
const JSON_START = /^\s*[[{]/

/**
 * Reads a body as `application/x-www-form-urlencoded`. Throws 54006 for more than 64 KiB, before it is read where
 * its length is declared, and 20001 for one that breaks off or has another type.
 */
export async function readForm(request: Request): Promise<Form> {
  return new Form(await readFormText(request))
}

/** Reads the text of a form. Throws as `readForm`. */
export async function readFormText({ headers, body }: Request): Promise<string> {
  const declared = headers.get('content-length')
  if (declared !== null && Number(declared) > MAX_BODY_BYTES) throw new ApiError(PROBLEMS.tooLarge)
  return checkForm(await readText(body), headers.get('content-type'))
}

/** Gives back a text that is a form, or empty. Throws 20001. */
export function checkForm(text: string, contentType: string | null): string {
  if (text === '' || (isForm(contentType) && !JSON_START.test(text))) return text
  throw new ApiError(PROBLEMS.notAForm)
}

/** Without a type a body is taken for a form. */
function isForm(contentType: string | null): boolean {
  return contentType === null || FORM_TYPE.test(contentType)
}

/** An urlencoded form. Fields are looked for and decoded when they are asked for: a flood is refused before that. */
export class Form {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** Gives a field as it was sent; of one that is there twice, the first. Throws as `decodeField`. */
  raw(name: string): string | undefined {
    const text = this.#text
    for (let start = 0, end = 0; start < text.length; start = end + 1) {
      const ampersand = text.indexOf('&', start)
      end = ampersand === -1 ? text.length : ampersand
      const equals = text.indexOf('=', start)
      const endOfName = equals === -1 || equals > end ? end : equals
      if (isNamed(text.slice(start, endOfName), name)) return text.slice(endOfName + 1, end)
    }
    return undefined
  }

  /** Gives a field. Throws 20001 when it is not percent-encoded UTF-8. */
  get(name: string): string | undefined {
    const raw = this.raw(name)
    return raw === undefined ? undefined : decodeField(raw)
  }
}

/** Decodes a field of a form; a space is `%20` or `+`. Throws 20001 when it is not percent-encoded UTF-8. */
export function decodeField(raw: string): string {
  const spaced = raw.includes('+') ? raw.replaceAll('+', ' ') : raw
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    throw new ApiError(PROBLEMS.badRequest)
  }
}

/** Names may be percent-encoded too, though no client needs to. */
function isNamed(raw: string, name: string): boolean {
  return raw === name || (raw.includes('%') && decodeField(raw) === name)
}

async function readText(body: Request['body']): Promise<string> {
  if (body === null) return ''
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let text = ''
  let bytes = 0
  try {
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength
      if (bytes > MAX_BODY_BYTES) throw new ApiError(PROBLEMS.tooLarge)
      text += decoder.decode(chunk, { stream: true })
    }
  } catch (cause) {
    throw ApiError.is(cause) ? cause : new ApiError(PROBLEMS.badRequest)
  }
  return text + decoder.decode()
}
