// The messages of the threads.

/** An earthquake in the form that the main thread publishes. */
export interface Located {
  readonly id: string
  /** In milliseconds since 1970. */
  readonly time: number
  readonly magnitude: number
  readonly longitude: number
  readonly latitude: number
}

/** A weaker earthquake that followed a stronger one within a day and 30 km. */
export interface Finding {
  /** The thread that found it. */
  readonly by: number
  readonly id: string
  readonly magnitude: number
  /** The stronger one before it. */
  readonly main: { readonly id: string; readonly magnitude: number }
  /** The distance between them, in kilometres. */
  readonly km: number
}
