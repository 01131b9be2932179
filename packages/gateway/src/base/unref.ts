/** Lets a Node process end although a timer runs. */
export function unref(timer: unknown): void {
  ;(timer as { unref?(): void }).unref?.()
}
