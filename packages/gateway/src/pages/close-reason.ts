const MAX_REASON_BYTES = 120

/** Shortens a reason to what a close frame takes (RFC 6455, 5.5: 125 bytes with the code). */
export function closeReason(text: string): string {
  const bytes = new TextEncoder().encode(text).subarray(0, MAX_REASON_BYTES)
  // Half a character at the end reads as this.
  return new TextDecoder().decode(bytes).replace(/\uFFFD$/, '')
}
