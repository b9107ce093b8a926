// Checkpoints in safetensors files, one or many with an index.
import { withResource } from '../../../common/resource.ts'
import type { CheckpointFormat } from '../format.ts'
import { readShards } from '../shards.ts'
import type { TensorInfo } from '../tensor-info.ts'
import { readSafetensorsHeaderOf } from './file.ts'

const single = 'model.safetensors'

export const safetensors: CheckpointFormat = {
  description: single,
  matches: ({ files }) => files.has(single) || files.has(`${single}.index.json`),
  readTensors: (folder, options) =>
    readShards(
      folder,
      single,
      async name => {
        return await withResource(await folder.open(name, options), async file => {
          const { entries, bytesRead } = await readSafetensorsHeaderOf(file)
          options.reads.bytesRead += bytesRead
          return entries.map(({ name, dtype, format, shape, offset, length }): TensorInfo => {
            const place = { name, shape, file: file.path, offset, length }
            // of a type that nothing of ours has: known by its name, refused where it is wanted
            return dtype === null
              ? { ...place, dtype: 'uint8', encoding: { quantization: format } }
              : { ...place, dtype }
          })
        })
      },
      options
    )
}
