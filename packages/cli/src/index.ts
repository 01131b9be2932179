export { type MessageRecord, readRecord, writeRecord } from '@rivulet/replay'
export { type LiveTable, type LiveTableOptions, showLiveTable } from './tap/live-table.ts'
