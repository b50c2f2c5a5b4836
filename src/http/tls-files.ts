// The files of `server.tls`: read together and judged before they are used, so that a wrong one names itself and no connection ends.
import { X509Certificate } from 'node:crypto'
import type { TlsConfig } from '../config/server.ts'
import { checkUsable, type NamedFile, readAuthorities, readBlocks, readPair } from './pem-files.ts'

export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly ca: string[] | undefined
  /** One list a text: of several in one file Node would take the first. */
  readonly crl: string[] | undefined
  readonly minVersion: TlsConfig['minVersion']
}

/** Throws OperatorError with the setting, the file and the cure. */
export function readTlsFiles(tls: TlsConfig): TlsFiles {
  const named = (key: 'cert' | 'key' | 'clientCa' | 'crl'): NamedFile => ({
    path: tls[key] ?? '',
    setting: `server.tls.${key}`,
  })
  const files = {
    ...readPair(named('cert'), named('key')),
    ca: tls.clientCa === undefined ? undefined : readAuthorities(named('clientCa')),
    crl: tls.crl === undefined ? undefined : readBlocks(named('crl'), 'X509 CRL'),
    minVersion: tls.minVersion,
  }
  if (files.crl !== undefined) checkUsable(named('crl'), { crl: files.crl })
  checkUsable(named('cert'), files)
  return files
}

/** Of our own certificate, for the log: what is wrong with its dates now. */
export function findDateFlaw({ cert }: Pick<TlsFiles, 'cert'>, now: number): string | undefined {
  const { validFromDate, validToDate } = new X509Certificate(cert)
  if (now >= validToDate.getTime()) return `expired ${validToDate.toISOString()}`
  return now < validFromDate.getTime() ? `not valid before ${validFromDate.toISOString()}` : undefined
}
