export { type MessageRecord, readRecord, writeRecord } from './base/message-record.ts'
