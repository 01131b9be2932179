import { ACCOUNT, SERVICE, TOKEN } from './served-gateway.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of many forms.
  readonly body: any
}

export const BASIC = basic(ACCOUNT, TOKEN)

/** Makes the header of HTTP Basic. */
export function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
}

/** Asks the API as a program without an SDK would. */
export class ApiClient {
  readonly #base: string
  readonly #headers: Record<string, string>

  constructor(url: string, headers: Record<string, string> = BASIC, service = SERVICE) {
    this.#base = `${url}/v1/Services/${service}/Streams`
    this.#headers = headers
  }

  /** The URL of a stream, given by name or sid. */
  urlOf(id: string): string {
    return `${this.#base}/${encodeURIComponent(id)}`
  }

  messagesOf(id: string): string {
    return `${this.urlOf(id)}/Messages`
  }

  create(fields: Record<string, string> = {}): Promise<Answer> {
    return this.send('POST', this.#base, fields)
  }

  list(query = ''): Promise<Answer> {
    return this.send('GET', `${this.#base}${query}`)
  }

  fetch(id: string): Promise<Answer> {
    return this.send('GET', this.urlOf(id))
  }

  update(id: string, fields: Record<string, string>): Promise<Answer> {
    return this.send('POST', this.urlOf(id), fields)
  }

  remove(id: string): Promise<Answer> {
    return this.send('DELETE', this.urlOf(id))
  }

  publish(id: string, data: unknown): Promise<Answer> {
    return this.send('POST', this.messagesOf(id), { Data: JSON.stringify(data) })
  }

  async send(
    method: string,
    url: string,
    fields?: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const body = fields && new URLSearchParams(fields)
    const response = await fetch(url, {
      method,
      headers: { ...this.#headers, ...headers },
      ...(body && { body }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    }
  }
}
