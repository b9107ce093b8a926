// swarm plot: draws the losses of a run, also while it is going.
import { resolve } from 'node:path'
import { Command } from 'commander'
import { plotRun } from '../../client/index.ts'
import { print } from '../terminal/terminal.ts'

export function plotCommand(): Command {
  return new Command('plot')
    .description('draw the losses of a run as an SVG image')
    .argument('<run>', 'folder of the run (output_dir)')
    .option('-o, --output <file>', 'where the image is written (default: loss.svg in the folder)')
    .action(async (run: string, { output }: { output?: string }) => {
      print(await plotRun(resolve(run), output && resolve(output)))
    })
}
