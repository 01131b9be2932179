import type { Message } from 'rivulet'

/** Writes the data of a message as JSON; `null` for what a schema made of it that is none, like a BigInt. */
export function dataJson({ data }: Message): string {
  try {
    return (JSON.stringify(data) as string | undefined) ?? 'null'
  } catch {
    return 'null'
  }
}
