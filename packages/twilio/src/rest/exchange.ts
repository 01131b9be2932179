import { ApiError, type Caller, type ClientSocket, decodeSegment } from '@rivulet/gateway/protocol'
import { PROBLEMS } from '../base/problem.ts'

/** One request about the streams of a service, from an authenticated caller. */
export interface Exchange {
  readonly request: Request
  readonly caller: Caller
  readonly serviceSid: string
  /** The stream's name or sid in the path, percent-encoded. */
  readonly streamSegment: string
  /** Absolute, ends in `/Services`. */
  readonly servicesUrl: () => string
  /** The client's connection, where the server is Node's. */
  readonly socket: ClientSocket | undefined
}

/** Decodes the name or sid of the stream in the path. Throws 20404 when it is not percent-encoded UTF-8. */
export function streamIdOf(segment: string): string {
  const id = decodeSegment(segment)
  if (id === undefined) throw new ApiError(PROBLEMS.notFound)
  return id
}
