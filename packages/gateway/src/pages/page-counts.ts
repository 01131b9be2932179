/** Counts since the start, as plain numbers. */
export interface PageCounts {
  /** Pages that are let in now. */
  readonly pages: number
  /** Streams that they listen to now, each counted for each page. */
  readonly joins: number
  /** Frames that pages sent and that passed the checks. */
  readonly received: number
  /** Frames handed to pages, each counted for each page. */
  readonly sent: number
  /** Frames that were not handed to pages: the page was too slow, or the stream had more than its rate. */
  readonly dropped: number
  /** Frames and joins of pages that were refused. */
  readonly refused: number
}

/** The counts, as they are kept. */
export type MutableCounts = { -readonly [Name in keyof PageCounts]: number }
