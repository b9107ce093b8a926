// What a terminal shows after some output: enough of one for what the command writes.

/** The rows of a terminal with so many columns, from the first to the last that was written. Colours are left out. */
export function shown(output: string, columns: number): string[] {
  const rows = ['']
  let [row, column] = [0, 0]
  for (const token of output.match(/\p{Cc}\[[\d;]*[A-Za-z]|[\s\S]/gu) ?? []) {
    const control = /^\p{Cc}\[([\d;]*)([A-Za-z])$/u.exec(token)
    if (control !== null) {
      const [, parameter, letter] = control
      const until = rows[row]!.slice(0, column)
      if (letter === 'A') row -= Number(parameter)
      else if (letter === 'K') rows[row] = until
      else if (letter === 'J') rows.splice(row, rows.length, until)
      else if (letter !== 'm') throw new Error(`the terminal of this test does not know ${JSON.stringify(token)}`)
    } else if (token === '\r') column = 0
    else {
      if (token === '\n' || column === columns) {
        row++
        column = 0
        rows[row] ??= ''
      }
      if (token === '\n') continue
      rows[row] = `${rows[row]!.slice(0, column)}${token}${rows[row]!.slice(column + 1)}`
      column++
    }
  }
  return rows
}
