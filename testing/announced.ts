// What a server of tests announces.
import type { AnnouncementFields } from '../network/discovery/announcement.ts'

/** A server of four blocks of a model of twelve. */
export const announced: AnnouncementFields = {
  model: 'ab'.repeat(32),
  modelName: 'tiny',
  totalBlocks: 12,
  firstBlock: 0,
  endBlock: 4,
  state: 'online',
  forwardRate: 100,
  decodeRate: 10,
  cacheBytesFree: 1e9,
  queueMs: 0,
  trainingQueueMs: 0,
  trips: [],
  dtype: 'float32'
}
