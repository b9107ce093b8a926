// The process of the swarm command: runs one command line, sets the exit status.
import { installLastResort } from './last-resort.ts'
import { runProgram } from './program.ts'

installLastResort()
process.exitCode = (await runProgram(process.argv.slice(2))) ?? process.exitCode
