/** Resolves when `signal` aborts, or after `forMs` milliseconds if given. */
export async function until(signal: AbortSignal, forMs?: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (forMs !== undefined) timer = setTimeout(resolve, forMs)
  })
  clearTimeout(timer)
}
