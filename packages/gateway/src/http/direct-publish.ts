import type { Answer } from '../base/answer.ts'

/** The head of a request to publish as a server has read it, without a web `Request`. */
export interface DirectRequest {
  /** The path, as in the request line. */
  readonly target: string
  /** The address from which the connection comes. */
  readonly clientAddress?: string | undefined
  /** Gives a header by its name in lower case. */
  header(name: string): string | undefined
}

/** Takes the body as UTF-8 text, and answers. Never throws or rejects. */
export type TakeBody = (text: string) => Answer | Promise<Answer>

/**
 * Looks at the head of a request. Gives the function that takes its body, or the answer when the body is not wanted,
 * or `undefined` for a request that `fetch` has to answer. Never throws.
 */
export type DirectPublish = (request: DirectRequest) => TakeBody | Answer | undefined
