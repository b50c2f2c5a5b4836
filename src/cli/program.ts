// The commands and their options. An action loads its command's file; errors end here.
import { Command, Option } from 'commander'
import { SEED_FLAGS } from '../config/seeds.ts'
import { endWith } from './failure.ts'
import { translateFlags } from './flags.ts'
import type { Common } from './options.ts'

export async function runProgram(words: readonly string[]): Promise<void> {
  process.on('uncaughtException', endWith)
  // `portcullis audit tail | head`: a reader that has seen enough is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    error.code === 'EPIPE' ? process.exit(0) : endWith(error),
  )
  try {
    const { rest, seeds } = translateFlags(words, SEED_FLAGS)
    await createProgram(seeds).parseAsync(rest, { from: 'user' })
  } catch (error) {
    endWith(error)
  }
}

const collect = (text: string, before: Record<string, string> = {}): Record<string, string> => {
  const mark = text.indexOf('=')
  return mark < 1 ? { ...before, [text]: '' } : { ...before, [text.slice(0, mark)]: text.slice(mark + 1) }
}

function createProgram(seeds: Common['seeds']): Command {
  const program = new Command('portcullis')
    .description('One gate in front of every MCP server: sign-in, policy and a provable record.')
    .showHelpAfterError('(--help shows what there is)')
  const configured = (command: Command): Command =>
    command
      .option('--config <file>', 'configuration file; default PORTCULLIS_CONFIG, ./portcullis.yaml, the quickstart')
      .option('--set <setting=value>', 'one setting, such as --set server.drain=10s; repeatable', collect)

  configured(program.command('serve', { isDefault: true }))
    .description('start the gate')
    .option('--listen <host:port>', 'server.listen')
    .option('--url <url>', 'server.url')
    .option('--log-level <level>', 'log.level')
    .action(async (options) => (await import('./serve.ts')).serve({ ...options, seeds }))

  addConfig(program, configured, seeds)
  addKeys(program, configured, seeds)
  addUsers(program, configured, seeds)
  addAudit(program, configured, seeds)
  program
    .command('version')
    .description('print the version of Portcullis and of its Node')
    .action(async () => (await import('./version.ts')).printVersion())
  program
    .command('docs', { hidden: true })
    .description('write docs/reference from the schema')
    .action(async () => (await import('./docs.ts')).writeDocs())
  return program
}

type Configured = (command: Command) => Command

function addConfig(program: Command, configured: Configured, seeds: Common['seeds']): void {
  const config = program.command('config').description('look at the configuration')
  configured(config.command('print'))
    .description('print the configuration in force, secrets masked, with the origin of each value')
    .action(async (options) => (await import('./config.ts')).printInForce({ ...options, seeds }))
  config
    .command('check')
    .description('judge a configuration without starting')
    .argument('[file]', 'default: what `serve` would read')
    .action(async (file) => (await import('./config.ts')).check({ ...(file && { config: file }), seeds }))
  config
    .command('schema')
    .description('print the JSON Schema of portcullis.yaml')
    .action(async () => (await import('./config.ts')).printSchema())
}

function addKeys(program: Command, configured: Configured, seeds: Common['seeds']): void {
  const keys = program.command('keys').description('keys that sign and seal')
  configured(keys.command('list'))
    .description('list the keys, never their secrets')
    .action(async (options) => (await import('./keys.ts')).list({ ...options, seeds }))
  configured(keys.command('rotate'))
    .description('publish a new signing key; it signs a day later, when every verifier knows it')
    .option('--now', 'sign with it at once and stop accepting the older ones: for a key that leaked', false)
    .action(async (options) => (await import('./keys.ts')).rotate({ ...options, seeds }))
}

function addUsers(program: Command, configured: Configured, seeds: Common['seeds']): void {
  const users = program.command('users').description('local accounts')
  configured(users.command('add'))
    .description('add a local account; asks for the password, or reads it from stdin when that is no terminal')
    .argument('<name>', 'user name')
    .option('--email <address>', 'e-mail address')
    .option('--group <name...>', 'groups')
    .option('--admin', 'an administrator', false)
    .option('--password-file <file>', 'read the password from this file')
    .action(async (name, options) => (await import('./users.ts')).add(name, { ...options, seeds }))
}

function addAudit(program: Command, configured: Configured, seeds: Common['seeds']): void {
  const audit = program.command('audit').description('the record of decisions')
  configured(audit.command('tail'))
    .description('print the newest decisions and go on with each new one')
    .option('-n, --lines <count>', 'how many of the newest to begin with', '20')
    .addOption(new Option('-f, --follow', 'go on with each new one; the default').default(true))
    .option('--no-follow', 'end after the newest ones')
    .option('--json', 'the record as it is stored, one JSON object a line', false)
    .action(async (options) => (await import('./audit.ts')).tail({ ...options, seeds }))
}
