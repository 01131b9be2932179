import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate with its key, as files (for brokers) and as PEM text (for clients). */
export interface Certificate {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

/** A throw-away certificate authority in a temporary folder. */
export class Authority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'rivulet-authority-'))
  readonly #own: Certificate
  #issued = 0

  constructor() {
    this.#own = this.#files('authority')
    const subject = ['-subj', '/CN=Rivulet test authority', '-days', '2']
    const { keyFile, certFile } = this.#own
    openssl('req', '-x509', ...NEW_KEY, '-keyout', keyFile, '-out', certFile, ...subject)
  }

  /** The authority's certificate as PEM text: what a client trusts. */
  get ca(): string {
    return this.#own.cert
  }

  /** The file of it: what a broker verifies clients with. */
  get caFile(): string {
    return this.#own.certFile
  }

  /** Issues a certificate, by default for this machine's loopback names. */
  issue(alternativeNames = 'DNS:localhost,IP:127.0.0.1'): Certificate {
    this.#issued += 1
    const issued = this.#files(`issued-${this.#issued}`)
    const request = join(this.#folder, `request-${this.#issued}.pem`)
    const extensions = join(this.#folder, `extensions-${this.#issued}.cnf`)
    writeFileSync(extensions, `subjectAltName=${alternativeNames}\n`)
    openssl('req', '-new', ...NEW_KEY, '-keyout', issued.keyFile, '-out', request, '-subj', '/CN=rivulet')
    const signer = ['-CA', this.#own.certFile, '-CAkey', this.#own.keyFile, '-CAcreateserial', '-days', '2']
    openssl('x509', '-req', '-in', request, '-out', issued.certFile, '-extfile', extensions, ...signer)
    return issued
  }

  /** Removes all its files. */
  close(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #files(name: string): Certificate {
    const certFile = join(this.#folder, `${name}.pem`)
    const keyFile = join(this.#folder, `${name}.key`)
    return {
      certFile,
      keyFile,
      get cert() {
        return readFileSync(certFile, 'utf8')
      },
      get key() {
        return readFileSync(keyFile, 'utf8')
      },
    }
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
