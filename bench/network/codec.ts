// How fast are the codecs of the wire, and how many bytes does a token take in each? `node bench/network/codec.ts [hidden=1024]`
// Encoding in pieces as they are sent, decoding of a whole payload; best of many rounds, in GB of float32 a second, on one thread.
import { tensor } from '../../common/tensor.ts'
import { codecNames, decodeFloats, encodedBytes, encodePieces } from '../../proto/codec.ts'

const hidden = Number(process.argv[2] ?? 1024)
const states = tensor('float32', [4, 256, hidden])
for (let at = 0; at < states.data.length; at++) {
  states.data[at] = Math.random() + Math.random() + Math.random() - 1.5
}

function best(run: () => unknown): string {
  let least = Infinity
  for (let round = 0; round < 30; round++) {
    const start = performance.now()
    run()
    least = Math.min(least, performance.now() - start)
  }
  return (states.data.byteLength / 1e6 / least).toFixed(2)
}

for (const codec of codecNames) {
  const encode = () => [...encodePieces(states, codec, 128 * 1024)]
  const bytes = new Uint8Array(Buffer.concat(encode()))
  const perToken = encodedBytes([1, hidden], codec)
  const speed = [best(encode), best(() => decodeFloats(bytes, states.shape, codec))]
  console.log(`${codec}: ${perToken} bytes a token; encodes ${speed[0]}, decodes ${speed[1]} GB/s of floats`)
}
