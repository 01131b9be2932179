export { type MessageRecord, readRecord, writeRecord } from './base/message-record.ts'
export { type LiveTable, type LiveTableOptions, showLiveTable } from './tap/live-table.ts'
