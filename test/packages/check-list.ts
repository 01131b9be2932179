/** Runs checks, printing a line at the end of each; a failing one does not stop the others. */
export class CheckList {
  #passed = 0
  #failed = 0

  get failed(): number {
    return this.#failed
  }

  get summary(): string {
    return `packed packages: ${this.#passed} checks passed, ${this.#failed} failed`
  }

  /** Runs one check. It fails by throwing; what it returns is a remark for its line. */
  async check(name: string, run: () => Promise<string | undefined>): Promise<boolean> {
    const startMs = performance.now()
    try {
      const remark = await run()
      this.#passed += 1
      console.log(`  ok    ${name}${remark ? `: ${remark}` : ''} (${secondsSince(startMs)})`)
      return true
    } catch (error) {
      this.#failed += 1
      console.log(`  FAIL  ${name} (${secondsSince(startMs)})\n${indent(messageOf(error))}`)
      return false
    }
  }
}

function secondsSince(startMs: number): string {
  return `${((performance.now() - startMs) / 1000).toFixed(1)} s`
}

// A program that fails may print a whole minified file.
const MAX_MESSAGE_LENGTH = 4000

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.length <= MAX_MESSAGE_LENGTH ? message : `${message.slice(0, MAX_MESSAGE_LENGTH)} …`
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '        ')
}
