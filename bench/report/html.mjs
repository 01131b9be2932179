import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { verdictsOf } from '../targets.mjs'
import { chartsOf } from './chart.mjs'
import { tableOf } from './table.mjs'

const STYLE = readFileSync(join(import.meta.dirname, 'report.css'), 'utf8')
// Below this share of the longest bar Rivulet's own would hardly be visible.
const LEAST_SHARE = 0.05

/** Writes all suites as one page, pictures and style included. */
export function reportOf(results) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rivulet benchmarks</title>
<style>
${STYLE}</style>
<h1>Rivulet benchmarks</h1>
${verdictSection(verdictsOf(results))}
<nav>
<h2>Contents</h2>
<ul>
${results.map(({ suite, title }) => `<li><a href="#${suite}">${text(title)}</a></li>`).join('\n')}
</ul>
</nav>
<p>All rows of a table come from one run. “Better by” says how many
times better Rivulet is than the row: the middle of the ratios of each round; below 1 the row is better.</p>
${results.map(sectionOf).join('\n')}
</html>
`
}

function verdictSection(verdicts) {
  const measured = verdicts.filter(({ verdict }) => verdict !== 'not measured')
  const met = measured.filter(({ verdict }) => verdict !== 'missed')
  const rows = verdicts.map(
    ({ suite, name, beside, wanted, reached, elsewhere, verdict }) => `<tr>
<th scope="row"><a href="#${suite}">${text(name)}</a> <small>${text(beside)}</small></th>
<td>${wanted}</td><td>${reached}<br><small>${text(elsewhere)}</small></td><td class="${verdict.split(/\W/)[0]}">${verdict}</td>
</tr>`,
  )
  return `<h2>Verdict: ${met.length} of ${measured.length} targets met</h2>
<div class="scroll"><table class="verdict">
<tr><th>target</th><th>wanted</th><th>reached</th><th></th></tr>
${rows.join('\n')}
</table></div>`
}

function sectionOf(result) {
  const { title, suite, reading, isQuick, cases, notes } = result
  return `<section id="${suite}">
<h2>${text(title)}</h2>
<p>${text(reading)}${isQuick ? ' <strong>A quick run: the figures mean little.</strong>' : ''}</p>
${chartsOf(result)
  .map(({ wide, narrow }) => `<div class="wide">${wide}</div>\n<div class="narrow">${narrow}</div>`)
  .join('\n')}
${cases.map((each) => caseTable(result, each)).join('\n')}
${notes.map((note) => `<p>${text(note)}</p>`).join('\n')}
${circumstances(result)}
</section>`
}

function circumstances({ suite, command, date, machine, columns, rounds }) {
  const packages = Object.entries(machine.packages).map((entry) => entry.join(' '))
  const versions = columns.map(
    ({ title, node, v8, rivulet }) => `${title}: ${node} (V8 ${v8}), rivulet ${rivulet}`,
  )
  const lines = [
    `${date}, medians of ${rounds} alternating rounds`,
    `${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}`,
    ...versions,
    packages.join(', '),
  ]
  return `<details>
<summary><code>${text(command)}</code> (suite ${suite})</summary>
<p>${lines.map(text).join('<br>\n')}</p>
</details>`
}

function caseTable(result, each) {
  const { head, rows } = tableOf(result, each)
  const [first, ...others] = head
  const lengths = barsOf(rows)
  const body = rows.map(({ name, group, cells }, index) => {
    const bar = `<span class="bar" style="width: ${lengths.shares[index].toFixed(1)}%"></span>`
    return `<tr class="${group}"><th scope="row">${text(name)}${bar}</th>${cells.map((each) => cell(each)).join('')}</tr>`
  })
  const reading = `${each.isLessBetter ? 'less' : 'more'} is better${lengths.isLogarithmic ? '; bars are logarithmic' : ''}`
  return `<div class="scroll"><table>
<tr><th>${text(first)}<br><small>${reading}</small></th>${others.map((name) => cell(name, 'th')).join('')}</tr>
${body.join('\n')}
</table></div>`
}

function cell(content, tag = 'td') {
  return `<${tag}${content.includes(' – ') ? ' class="range"' : ''}>${text(content)}</${tag}>`
}

/** Returns lengths of bars in percent: of the logarithm if Rivulet's would vanish beside the longest. */
function barsOf(rows) {
  const values = rows.map(({ value }) => value)
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const isLogarithmic = rows[0].value < most * LEAST_SHARE
  const base = least / 2
  const shareOf = (value) => (isLogarithmic ? Math.log(value / base) / Math.log(most / base) : value / most)
  return { isLogarithmic, shares: values.map((value) => 100 * shareOf(value)) }
}

function text(value) {
  return String(value).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
