import { rounded } from './table.mjs'

const STYLE = `
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 940px; margin: 2rem auto; padding: 0 1rem; color: #212529 }
  table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 2rem }
  th, td { padding: 0.2rem 0.6rem; text-align: right; border-bottom: 1px solid #dee2e6 }
  th:first-child, td:first-child { text-align: left }
  tr.rivulet { font-weight: 600; color: #0b7285 }
  tr.contract { color: #e8590c }
  code { background: #f1f3f5; padding: 0.1rem 0.3rem }
  .small { color: #495057; font-size: 13px }
  svg { max-width: 100%; height: auto }`

/** Writes all suites as one page, pictures and style included. */
export function reportOf(pictures) {
  const sections = pictures.map(sectionOf).join('\n')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Rivulet benchmarks</title>
<style>${STYLE}
</style>
<h1>Rivulet benchmarks</h1>
<p>Each table is one run in one process, or in two where a broker is between them. The last column says how many
times better Rivulet is than the row: the middle of the ratios of each round; below 1 the row is better.</p>
${sections}
</html>
`
}

function sectionOf({ result, charts }) {
  const { title, suite, reading, command, date, machine, rounds, isQuick, cases, notes } = result
  const packages = Object.entries(machine.packages)
    .map((entry) => entry.join(' '))
    .join(', ')
  return `<section>
<h2>${text(title)}</h2>
<p>${text(reading)}${isQuick ? ' <strong>A quick run: the figures mean little.</strong>' : ''}</p>
<p class="small"><code>${text(command)}</code> (suite ${text(suite)}) on ${text(date)}, medians of ${rounds} alternating rounds.<br>
${text(machine.cpu)}, ${machine.memoryGiB} GiB, ${text(machine.system)}, Node ${text(machine.node)} (V8 ${text(machine.v8)});
rivulet ${text(machine.rivulet)}.<br>${text(packages)}</p>
${charts.map(({ svg }) => svg).join('\n')}
${cases.map(tableOf).join('\n')}
${notes.map((note) => `<p>${text(note)}</p>`).join('\n')}
</section>`
}

function tableOf({ name, unit, rows }) {
  const body = rows.map((row) => {
    const numbers = [row.value, Math.min(...row.rounds), Math.max(...row.rounds), row.rivuletIsBetterBy]
    const cells = numbers.map((value) => `<td>${rounded(value)}</td>`).join('')
    return `<tr class="${row.group}"><td>${text(row.name)}</td>${cells}</tr>`
  })
  return `<table>
<tr><th>${text(name)}</th><th>${text(unit)}</th><th>from</th><th>to</th><th>Rivulet is better by</th></tr>
${body.join('\n')}
</table>`
}

function text(value) {
  return String(value).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
