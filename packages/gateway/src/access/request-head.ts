/** What is read of a request to find out who asks, on whatever server it came. */
export interface RequestHead {
  /** Absolute. */
  readonly url: string
  /** Where the connection comes from, where the server tells. */
  readonly clientAddress: string | undefined
  /** Gives a header by its name in lower case. */
  header(name: string): string | null | undefined
}

// Sent by browsers: the first to HTTPS and to this machine only, the last when a page is opened over HTTP.
const OF_BROWSERS = ['sec-fetch-site', 'origin', 'upgrade-insecure-requests']

/** Reads the head of a web-standard request. */
export function headOf(request: Request, clientAddress: string | undefined): RequestHead {
  return { url: request.url, clientAddress, header: (name) => request.headers.get(name) }
}

/** Tells whether a browser sent the request. Node's `fetch` has a `Sec-Fetch-Mode`, too, which is `cors`. */
export function isFromBrowser(head: RequestHead): boolean {
  const isGiven = (name: string) => (head.header(name) ?? undefined) !== undefined
  return OF_BROWSERS.some(isGiven) || (head.header('sec-fetch-mode') ?? 'cors') !== 'cors'
}

/** Gives the scheme, host and port that a request was sent to. */
export function originOf(url: string): string {
  return url.slice(0, url.indexOf('/', url.indexOf('://') + 3))
}
