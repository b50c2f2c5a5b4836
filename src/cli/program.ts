// The commands and their options. An action loads its command's file; errors end here.
import { Command } from 'commander'
import { SEED_FLAGS } from '../config/seeds.ts'
import { listSettings } from '../config/settings.ts'
import { findNearest } from '../config/suggest.ts'
import { OperatorError } from '../protocol/errors.ts'
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

/** What a flag that is a setting does, in the schema's own sentence. */
function sentenceOf(path: string): string {
  const setting = listSettings().find((known) => known.path === path)
  if (setting === undefined) throw new TypeError(`there is no setting ${path}`)
  return setting.description
}

/** An action's options: those of the command, and those of every command wherever among the words they stand. */
type Options = <Own extends object>(command: Command) => Own & Common

function createProgram(seeds: Common['seeds']): Command {
  const optionsOf: Options = (command) => ({ ...command.optsWithGlobals(), seeds })
  const program = new Command('portcullis')
    .description('One gate in front of every MCP server: sign-in, policy and a provable record.')
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help shows what there is)')
    .option('--config <file>', 'configuration file; default PORTCULLIS_CONFIG, ./portcullis.yaml, the quickstart')
    .option('--set <setting=value>', 'one setting, such as --set server.drain=10s; repeatable', collect)

  program
    .command('serve', { isDefault: true })
    .description('start the gate')
    .option('--listen <host:port>', sentenceOf('server.listen'))
    .option('--url <url>', sentenceOf('server.url'))
    .option('--log-level <level>', sentenceOf('log.level'))
    // The default command gets every word that is none, and can say so better than the parser.
    .allowExcessArguments()
    .action(async (_, command: Command) => {
      checkCommand(command.args[0], program)
      await (await import('./serve.ts')).serve(optionsOf(command))
    })

  addConfig(program, optionsOf)
  addKeys(program, optionsOf)
  addUsers(program, optionsOf)
  addTokens(program, optionsOf)
  addTools(program, optionsOf)
  addSecrets(program, optionsOf)
  addAudit(program, optionsOf)
  addPolicy(program, optionsOf)
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

function checkCommand(word: string | undefined, program: Command): void {
  if (word === undefined) return
  const nearest = findNearest(
    word,
    program.commands.map((command) => command.name()),
  )
  const remedy = nearest === undefined ? '--help shows what there is.' : `Did you mean ${nearest}?`
  throw new OperatorError(`There is no command ${word}. ${remedy}`)
}

function addConfig(program: Command, optionsOf: Options): void {
  const config = program.command('config').description('look at the configuration')
  config
    .command('print')
    .description('print the configuration in force, secrets masked, with the origin of each value')
    .action(async (_, command: Command) => (await import('./config.ts')).printInForce(optionsOf(command)))
  config
    .command('check')
    .description('judge a configuration without starting')
    .argument('[file]', 'default: what `serve` would read')
    .action(async (file: string | undefined, _, command: Command) =>
      (await import('./config.ts')).check({ ...optionsOf(command), ...(file !== undefined && { config: file }) }),
    )
  config
    .command('schema')
    .description('print the JSON Schema of portcullis.yaml')
    .action(async () => (await import('./config.ts')).printSchema())
}

function addKeys(program: Command, optionsOf: Options): void {
  const keys = program.command('keys').description('keys that sign, and keys of the vault')
  keys
    .command('list')
    .description('list the keys, never their secrets')
    .action(async (_, command: Command) => (await import('./keys.ts')).list(optionsOf(command)))
  keys
    .command('rotate')
    .description('publish a new signing key; it signs a day later, when every verifier knows it')
    .option('--now', 'sign with it at once and stop accepting the older ones: for a key that leaked', false)
    .option('--vault', 'instead, move the secrets of the vault to the first key of vault.keys; gates run on', false)
    .action(async (_, command: Command) => (await import('./keys.ts')).rotate(optionsOf(command)))
}

function addUsers(program: Command, optionsOf: Options): void {
  const users = program.command('users').description("people's accounts")
  users
    .command('add')
    .description('add a local account; asks for the password, or reads it from stdin when that is no terminal')
    .argument('<name>', 'user name')
    .option('--email <address>', 'e-mail address')
    .option('--group <name...>', 'groups')
    .option('--admin', 'an administrator', false)
    .option('--password-file <file>', 'read the password from this file')
    .action(async (name: string, _, command: Command) => (await import('./users.ts')).add(name, optionsOf(command)))
  users
    .command('disable')
    .description('refuse an account at every door from now on, whoever signs it in, and end what it has open')
    .argument('<account>', 'local user name, e-mail address, or id (usr_…)')
    .action(async (account: string, _, command: Command) =>
      (await import('./users.ts')).setDisabled(account, true, optionsOf(command)),
    )
  users
    .command('enable')
    .description('take that back')
    .argument('<account>', 'local user name, e-mail address, or id (usr_…)')
    .action(async (account: string, _, command: Command) =>
      (await import('./users.ts')).setDisabled(account, false, optionsOf(command)),
    )
}

function addTokens(program: Command, optionsOf: Options): void {
  const tokens = program.command('tokens').description('API tokens: keys for scripts and services')
  tokens
    .command('create')
    .description('create a token; prints its secret, once, and nothing else on standard output')
    .argument('<name>', 'what it is for; unique among the tokens of one owner')
    .option('--user <name>', 'the person it speaks for: local user name, e-mail address, or id of an account')
    .option('--service <name>', 'or the service')
    .option('--expires-in <duration>', 'such as 12h or 7d; default and most: tokens.maxTtl')
    .option('--scope <name...>', 'scopes it is bound to; default: the rules for its owner alone')
    .option('--reach <server/tool...>', 'targets it is confined to; default: whatever its owner may')
    .option('--team <name>', 'the one team it acts in')
    .option('--from <range...>', 'address ranges it may be used from')
    .option('--rate <count/time>', 'most requests, such as 120/min')
    .option('--description <text>', 'for people who look at it later')
    .action(async (name: string, _, command: Command) => (await import('./tokens.ts')).create(name, optionsOf(command)))
  tokens
    .command('list')
    .description('list tokens, never their secrets')
    .option('--owner <id>', 'of one owner: the id of an account, or service:NAME')
    .option('--all', 'those that have ended, too', false)
    .option('--json', 'one JSON object a line', false)
    .action(async (_, command: Command) => (await import('./tokens.ts')).list(optionsOf(command)))
  tokens
    .command('rotate')
    .description('give a token a new secret, and print it; the old one works on for the transition')
    .argument('<id>', 'as the list shows it')
    .option('--transition <duration>', 'default tokens.transition; 0 ends the old secret at once')
    .option('--expires-in <duration>', 'life of the new secret; default: as the old one was given')
    .action(async (id: string, _, command: Command) => (await import('./tokens.ts')).rotate(id, optionsOf(command)))
  tokens
    .command('revoke')
    .description('end a token at once')
    .argument('<id>', 'as the list shows it')
    .option('--reason <text>', 'for the record')
    .action(async (id: string, _, command: Command) => (await import('./tokens.ts')).revoke(id, optionsOf(command)))
}

function addTools(program: Command, optionsOf: Options): void {
  const tools = program
    .command('tools')
    .description('tools as their servers define them, and which definitions are approved')
  tools
    .command('list')
    .description('list the tools that were seen')
    .option('--server <id>', 'of one server')
    .option('--changed', 'only those that wait for approval', false)
    .option('--json', 'one JSON object a line', false)
    .action(async (_, command: Command) => (await import('./tools.ts')).list(optionsOf(command)))
  tools
    .command('show')
    .description('show a definition beside the approved one')
    .argument('<server/tool>')
    .action(async (name: string, _, command: Command) => (await import('./tools.ts')).show(name, optionsOf(command)))
  tools
    .command('approve')
    .description('approve a definition as it was last seen')
    .argument('<server/tool>', 'with --all the server alone')
    .option('--digest <digest>', 'the definition that was looked at; refused when another was seen since')
    .option('--all', 'every tool of the server that waits', false)
    .action(async (name: string, _, command: Command) => (await import('./tools.ts')).approve(name, optionsOf(command)))
}

function addSecrets(program: Command, optionsOf: Options): void {
  const secrets = program
    .command('secrets')
    .description("secrets of the gate's own vault, for `{ vault: NAME }` in credentials of servers; never shown again")
  secrets
    .command('put')
    .description('keep a secret under a name, in place of what is there; asks for it, or reads it from stdin')
    .argument('<name>', 'letters, digits and . _ -')
    .option('--file <file>', 'read it from this file')
    .action(async (name: string, _, command: Command) => (await import('./secrets.ts')).put(name, optionsOf(command)))
  secrets
    .command('list')
    .description('list names, versions and times, never the secrets')
    .option('--json', 'one JSON object a line', false)
    .action(async (_, command: Command) => (await import('./secrets.ts')).list(optionsOf(command)))
  secrets
    .command('remove')
    .description('forget a secret; servers whose credential it is keep the last value until the next start')
    .argument('<name>', 'as the list shows it')
    .action(async (name: string, _, command: Command) =>
      (await import('./secrets.ts')).remove(name, optionsOf(command)),
    )
}

function addAudit(program: Command, optionsOf: Options): void {
  const audit = program.command('audit').description('the record of decisions')
  audit
    .command('tail')
    .description('print the newest decisions and go on with each new one')
    .option('-n, --lines <count>', 'how many of the newest to begin with', '20')
    .option('--no-follow', 'end after the newest ones')
    .option('--json', 'the record as it is stored, one JSON object a line', false)
    .action(async (_, command: Command) => (await import('./audit.ts')).tail(optionsOf(command)))
}

function addPolicy(program: Command, optionsOf: Options): void {
  program
    .command('explain')
    .description('say why a request was answered as it was')
    .argument('<request-id>', 'the X-Request-Id of its answer')
    .option('--json', 'as JSON', false)
    .action(async (id: string, _, command: Command) => (await import('./explain.ts')).explain(id, optionsOf(command)))
  const policy = program.command('policy').description('try rules before they count')
  policy
    .command('test')
    .description('compare expected decisions with those of the configuration; ends with 1 where they differ')
    .argument('<cases.yaml>')
    .action(async (path: string, _, command: Command) =>
      (await import('./policy-test.ts')).testPolicy(path, optionsOf(command)),
    )
  policy
    .command('lint')
    .description('find what rules, scopes, limits and virtual servers say in vain')
    .option('--live', 'ask the servers for their tools, too', false)
    .option('--strict', 'end with 1 where something is found', false)
    .option('--json', 'one JSON object a line', false)
    .action(async (_, command: Command) => (await import('./policy-lint.ts')).lint(optionsOf(command)))
  policy
    .command('replay')
    .description('make the decisions of the record again by another configuration')
    .requiredOption('--with <file>', 'the other configuration')
    .option('--since <time>', 'such as 12h, 7d or 2026-11-01T08:00:00Z', '7d')
    .option('--json', 'as JSON', false)
    .action(async (_, command: Command) => (await import('./policy-replay.ts')).replay(optionsOf(command)))
}
