#!/usr/bin/env node
// Starts the swarm command. Plain JavaScript without imports, so that a Node too old for the rest can still say so.
var version = process.versions.node.split('.').map(Number)
if (version[0] < 22 || (version[0] === 22 && version[1] < 18)) {
  console.error(
    'swarm: needs Node 24.9 or newer, or 22.21 or newer of Node 22; this is ' +
      process.versions.node +
      ' (in a clone, "npx swarm" brings its own Node 24)'
  )
  process.exit(1)
}
// A clone runs the TypeScript as it is; an installed package has it compiled, since Node strips no types in node_modules.
import('node:fs').then(fs => {
  var source = new URL('./main.ts', import.meta.url)
  var compiled = new URL('./main.js', import.meta.url)
  if (fs.existsSync(source)) return import(source.href)
  if (fs.existsSync(compiled)) return import(compiled.href)
  console.error(
    'swarm: this package was packed without its code, since npm ran no scripts. Pack it again: npm pack --ignore-scripts=false'
  )
  process.exit(1)
})
