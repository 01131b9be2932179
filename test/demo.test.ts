import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { execa } from 'execa'
import { describe, expect, onTestFinished, test } from 'vitest'
import { bundleDemo } from './support/bundled-demo.ts'
import { ROOT } from './support/source-files.ts'

const QUAKES = 1707
const READERS = ['plain', 'pipeline', 'slow']

const DEMO = bundleDemo()

function startDemo(...options: string[]) {
  return execa('node', [DEMO, ...options], { cwd: ROOT, reject: false, timeout: 25_000 })
}

/** Reads a row of a table: the numbers behind its name. */
function rowOf(output: string, name: string): number[] {
  const line = output.split('\n').find((candidate) => candidate.split('│')[1]?.trim() === name) ?? ''
  return line.split('│').slice(2, -1).map(Number)
}

describe('the demo', () => {
  test('delivers the whole week, and every law holds', async () => {
    const { stdout, stderr, exitCode } = await startDemo('--seconds', '1', '--quiet')
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
    expect(rowOf(stdout, 'received')).toEqual([0, QUAKES, QUAKES, QUAKES])
    expect(rowOf(stdout, '+ delivered')).toEqual([0, QUAKES, QUAKES, QUAKES])
    expect(stdout).toContain('M 6.4')
    expect(stdout).toMatch(/All \d+ laws hold\./)
    expect(stdout).not.toMatch(/WRONG|BROKEN/)
  })

  test('counts what a bus loses, the same in every run of a seed', async () => {
    const runs = await Promise.all(
      [1, 2].map(() => startDemo('--seconds', '1', '--loss', '0.2', '--seed', '7')),
    )
    const received = runs.map(({ stdout }) => rowOf(stdout, 'received'))
    expect(runs.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    expect(received[0]).toEqual(received[1])
    for (const [index] of READERS.entries()) {
      expect(received[0]?.[index + 1]).toBeGreaterThan(QUAKES * 0.75)
      expect(received[0]?.[index + 1]).toBeLessThan(QUAKES * 0.85)
    }
  })

  test('prints plain lines where there is no terminal, and shows refusals', async () => {
    const { stdout } = await startDemo('--seconds', '0.5')
    expect(stdout).not.toContain('\u001B')
    expect(stdout).toContain(`${QUAKES} of ${QUAKES} quakes published`)
    expect(stdout).toContain('PAYLOAD_TOO_LARGE: ')
    for (const verb of ['tryPublish', 'publishWhenReady', 'publishLatest']) {
      const [accepted = 0, refused = 0, conflated = 0] = rowOf(stdout, verb)
      expect([verb, accepted + refused + conflated]).toEqual([verb, 60])
    }
    expect(rowOf(stdout, 'tryPublish')[1]).toBeGreaterThan(0)
    expect(rowOf(stdout, 'publishWhenReady')[0]).toBe(60)
    expect(rowOf(stdout, 'publishLatest')[2]).toBeGreaterThan(0)
  })

  test('shows with --tap what each stream has done, and says where to look next', async () => {
    const { stdout, stderr, exitCode } = await startDemo('--seconds', '1', '--tap')
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
    expect(stdout).toMatch(/^stream +msg\/s +bytes\/s +publishers +messages +missed +reordered +dropped$/m)
    expect(stdout).toMatch(new RegExp(`^quakes .* 1 +${QUAKES} +0 +0 +0$`, 'm'))
    expect(stdout).toMatch(
      /All \d+ laws hold\.\n\nWhere to look next: npm run demo -- --tap .*\nnpx rivulet tap --url URL /,
    )
  })

  test('shows the table on a terminal while it runs, and leaves the terminal as it was', async () => {
    const line = [process.execPath, DEMO, '--seconds', '2', '--tap'].join(' ')
    const { stdout, exitCode } = await execa(
      'script',
      ['-qefc', `stty cols 100 rows 30; ${line}`, '/dev/null'],
      {
        cwd: ROOT,
        reject: false,
      },
    )
    expect(exitCode).toBe(0)
    const [before = '', after = ''] = stdout.split('\u001B[?25h\u001B[?1049l')
    expect(before).toContain('hub earthquakes: 1 stream, ')
    expect(after).toMatch(/^stream +msg\/s/)
    expect(after).not.toContain('\u001B')
    expect(after).toMatch(/All \d+ laws hold\./)
  })

  test('lists its options with --help', async () => {
    // As a reader starts it.
    const { stdout, exitCode } = await execa('npm', ['run', 'demo', '--', '--help'], { cwd: ROOT })
    for (const option of ['--seconds', '--loss', '--seed', '--tap', '--quiet', '--help'])
      expect(stdout).toContain(option)
    expect(exitCode).toBe(0)
  })

  test.each([
    ['--seconds', 'soon', 'a number from 0.2 to 3600'],
    ['--seconds', '0', 'a number from 0.2 to 3600'],
    ['--loss', '1.5', 'a number from 0 to 0.9'],
    ['--seed', '1.5', 'a whole number'],
  ])('says what is wrong with %s %s', async (option, value, advice) => {
    const { stdout, stderr, exitCode } = await startDemo(option, value)
    expect(stderr).toContain(option)
    expect(stderr).toContain(advice)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 })
  })

  test('says what is wrong with an option that it does not know', async () => {
    const { stderr, exitCode } = await startDemo('--sped', '3')
    expect(stderr).toContain("unknown option '--sped'")
    expect(exitCode).toBe(1)
  })

  test('closes every hub when it is interrupted', async () => {
    const demo = startDemo('--seconds', '60')
    await once(demo.stdout, 'data')
    demo.kill('SIGINT')
    const { stdout, stderr, exitCode } = await demo
    expect(stdout).toMatch(/Interrupted: \d+ messages published, \d+ confirmed\./)
    expect(stdout).toContain('Stopped: every hub is closed.')
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 130 })
  })

  test('ends without a word when whoever reads its output leaves, as head does', async () => {
    const demo = spawn(process.execPath, [DEMO, '--seconds', '60'], { cwd: ROOT })
    onTestFinished(() => void demo.kill('SIGKILL'))
    let stderr = ''
    demo.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    await once(demo.stdout, 'data')
    demo.stdout.destroy()
    const [exitCode] = await once(demo, 'close')
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 130 })
  })
})
