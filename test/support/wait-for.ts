import { vi } from 'vitest'

/** Enough for a busy machine: Vitest's own wait is a second, which would be a test of time. */
const PATIENCE_MS = 60_000

/** Resolves to what `check` returns, once it returns or resolves instead of throwing. */
export function waitFor<Value>(
  check: () => Value | Promise<Value>,
  options: Parameters<typeof vi.waitFor>[1] = PATIENCE_MS,
): Promise<Value> {
  return vi.waitFor(check, options)
}
