// What conditions mean, and which are refused where they are written.
import { describe, expect, it } from 'vitest'
import { compileCondition, conditionFlaw } from './compile.ts'
import { type Facts, UNKNOWN } from './language.ts'
import { refillMeter } from './meter.ts'

const facts = (args: Record<string, unknown> | undefined): Facts => ({
  principal: { subject: 'u1', email: 'ann@example.com', roles: ['admin'], groups: ['eng'], claims: { unit: 'a' } },
  client: { id: 'cli' },
  server: { id: 'pay' },
  tool: { name: 'transfer', annotations: { destructiveHint: true } },
  args: args ?? UNKNOWN,
  request: { address: '192.0.2.1', time: new Date('2026-03-29T02:30:00Z'), era: 'modern' },
  resource: { uri: 'file:///a', params: { id: 'a' } },
})
function evaluate(text: string, args?: Record<string, unknown>) {
  refillMeter()
  return compileCondition(text).evaluate(facts(args))
}

describe('numbers of JSON', () => {
  it.each([
    ['args.n <= 1000', 5, true],
    ['args.n <= 1000', 1000.5, false],
    ['args.n <= 1000.0', 1000, true],
    ['1000 >= args.n', 5.5, true],
    ['args.n + 1 == 6', 5, true],
    ['args.n + 1 == 6.5', 5.5, true],
    ['args.n - 0.5 == 5.0', 5.5, true],
    ['args.n % 2 == 1', 5, true],
    ['args.n % 2 == 0', 5.5, false],
    ['args.n % 2 == 0', 6, true],
    ['args.n * 1.1 < 100.0', 5, true],
    ['args.n * 1.1 < 100.0', 95.5, false],
    ['args.n / 2 == 2', 5, true],
    ['args.n / 2.0 == 2.5', 5, true],
    ['args.n == 5', 5, true],
    ['args.n == 5.0', 5, true],
    ['args.n == 5', 5.5, false],
    ['args.n != 5', 5.5, true],
    ['args.n in [4, 5]', 5, true],
    ['args.n in [4.5, 5.5]', 5.5, true],
    ['-args.n < 0', 5, true],
    ['args.n > 4u', 5, true],
    ['type(args.n) == int', 5, true],
    ['type(args.n) == double', 5.5, true],
    ['string(args.n) == "5"', 5, true],
    ['args.n == 0', -0, true],
    ['args.n % 0 == 0', 5, 'error'],
    ['args.n / 0.0 > 1.0', 5, 'error'],
    ['args.n > 0', 2 ** 53, 'error'],
    ['args.n > 0', 2 ** 53 - 1, true],
    ['args.n + 9007199254740991 > 0', 2 ** 53 - 1, true],
    ['args.n > 0', 1e300, 'error'],
    ['args.n > 0', '5', 'error'],
  ])('%s with %j: %s', (text, n, expected) => {
    expect(evaluate(text, { n })).toBe(expected)
  })

  it.each([
    ['int(args.s) == 12', '12', true],
    ['int(args.s) == 0', '', 'error'],
    ['int(args.s) == 16', '0x10', 'error'],
    ['double(args.s) > 1.0', '1.5', true],
    ['double(args.s) > 1.0', 'many', 'error'],
    ['!(double(args.s) > 1.0)', '', 'error'],
  ])('%s with %j: %s', (text, s, expected) => {
    expect(evaluate(text, { s })).toBe(expected)
  })
})

describe('members', () => {
  it.each([
    ['has(args.x)', { x: 1 }, true],
    ['has(args.x)', {}, false],
    // A member that is null is there: a server may read it as one.
    ['has(args.x)', { x: null }, true],
    ['"x" in args', { x: null }, true],
    ['args.x == null', { x: null }, true],
    ['has(args.a.b)', { a: { b: false } }, true],
    ['has(args.a.b)', {}, 'error'],
    ['args.x == 1', {}, 'error'],
    ['args.x', { x: true }, true],
    ['args.x', { x: 'true' }, 'error'],
    ['args["a-b"] == 1 && args.list[1] == "b"', { 'a-b': 1, list: ['a', 'b'] }, true],
    ['args == {"a": 1, "b": [1, 2.5]}', { b: [1, 2.5], a: 1 }, true],
    ['args.list.all(x, x.n > 3)', { list: [{ n: 4 }, { n: 5.5 }] }, true],
    ['args.list.exists(x, x.n > 5)', { list: [{ n: 4 }, {}, { n: 5.5 }] }, true],
    ['args.list.filter(x, x > 2).map(x, x * 2) == [8]', { list: [1, 4] }, true],
    ['args.all(name, name != "force")', { force: 1 }, false],
  ])('%s with %j: %s', (text, args, expected) => {
    expect(evaluate(text, args)).toBe(expected)
  })

  it('are an object’s own', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(evaluate(`has(args.${name})`, {})).toBe(false)
      expect(evaluate(`args["${name}"] == 1`, {})).toBe('error')
      expect(evaluate(`args.${name} == 1`, JSON.parse(`{"${name}":1}`))).toBe(true)
    }
    expect(evaluate('args.constructor.constructor == 1', {})).toBe('error')
  })
})

describe('time', () => {
  it.each([
    // In some time zones this hour is left out: the machine's own must not matter.
    ['request.time.getHours() == 2', true],
    ['request.time.getHours("Europe/Berlin") == 4', true],
    ['request.time.getHours("+02:00") == 4 && request.time.getHours("-03:30") == 23', true],
    ['request.time.getDayOfWeek() == 0 && request.time.getDayOfYear() == 87', true],
    ['request.time.getDayOfWeek("America/New_York") == 6', true],
    ['request.time < timestamp("2027-01-01T00:00:00Z")', true],
    ['request.time - timestamp("2026-03-29T02:00:00Z") == duration("30m")', true],
  ])('%s: %s', (text, expected) => {
    expect(evaluate(text, {})).toBe(expected)
  })
})

describe('what is not known', () => {
  it.each([
    ['args.x == 1', 'unknown'],
    ['"admin" in principal.roles && args.x == 1', 'unknown'],
    ['"nobody" in principal.roles && args.x == 1', false],
    ['args.x == 1 && "nobody" in principal.roles', false],
    ['"admin" in principal.roles || args.x == 1', true],
    ['has(args.x)', 'unknown'],
    ['args.list.all(x, "admin" in principal.roles)', 'unknown'],
    ['principal.email == "ann@example.com"', true],
    ['principal.claims.other == "x"', 'error'],
  ])('%s: %s', (text, expected) => {
    expect(evaluate(text)).toBe(expected)
  })
})

describe('conditionFlaw', () => {
  it.each([
    ['args.amount <', 'Column 13: "<" is not expected here.'],
    ['args.a ==\n  1 &&\n  foo.b', 'Line 3, column 6: There is no foo. Known are principal, client,'],
    ['principal.rolez == 1', 'Column 10: There is no principal.rolez. Did you mean principal.roles?'],
    ['client.name == "x"', 'There is no client.name. Known are client.id.'],
    ['lenght(args.list) < 3', 'There is no function lenght().'],
    ['args.name.startWith("x")', 'Did you mean function startsWith()?'],
    ['constructor.constructor("return process").exists(x, true)', 'There is no'],
    ['size(args.a, args.b) < 3', 'size() is not called in this way. Write size(x) or value.size().'],
    ['matches(args.a, "x")', 'Write value.matches(x).'],
    ['args.name.matches(args.pattern)', 'The pattern of matches() must be written out here.'],
    ['args.name.matches("(")', 'This is no regular expression of RE2.'],
    ['args.name.matches("(?=a)b")', 'This is no regular expression of RE2.'],
    ['args.name.matches("(a{100}){10}")', 'The pattern is too large'],
    ['request.time.getHours("Nowhere/City") == 4', 'Write the time zone out here'],
    ['request.time.getHours(args.zone) == 4', 'Write the time zone out here'],
    ['args.n + 1', 'A condition must be true or false; this is something else.'],
    ['"true"', 'A condition must be true or false'],
    ['principal', 'A condition must be true or false'],
    ['args.list.map(x, x)', 'A condition must be true or false'],
    ['true ? 1 : 2', 'A condition must be true or false'],
    ['principal.roles', 'On a sample this is neither true nor false.'],
    ['principal.roles + 1 == 2', 'On a sample this is an error: found no matching overload'],
    ['google.protobuf.Struct{} == args', 'There are no messages here'],
    ['args.list.all(args, args > 1)', 'args has a meaning already'],
    ['args.a.all(x, args.b.all(y, args.c.all(z, z == x)))', 'At most 2 of all, exists, map and filter'],
    ['', 'This is no condition in CEL.'],
  ])('%j: %s', (text, message) => {
    expect(conditionFlaw(text)).toContain(message)
  })

  it.each([
    ['many parts', `[${'1,'.repeat(450)}1] == args.list`, 'The condition has too many parts.'],
    ['many in a row', `${'1+'.repeat(60)}1 == 61`, 'The condition is nested too deeply.'],
    ['many members', `${'args.'.repeat(60)}x`, 'The condition is nested too deeply.'],
    ['many letters', `args.a == "${'x'.repeat(2000)}"`, 'at most 2000 characters'],
    ['many brackets', '('.repeat(1900), 'This is no condition in CEL.'],
    ['many lists', '['.repeat(1900), 'This is no condition in CEL.'],
  ])('refuses what is too large: %s', (_, text, message) => {
    expect(conditionFlaw(text)).toContain(message)
  })

  it.each([
    'true',
    'args.confirm',
    '!args.confirm',
    'args.a ? args.b : false',
    'tool.annotations.readOnlyHint',
    'principal.email.endsWith("@example.com") && principal.claims.unit == "a"',
    'args.list.exists_one(x, x == 1)',
    'args.list.all(x, args.other.exists(y, y == x))',
    'args.list.filter(x, x > 1).map(x, x + 1).all(x, x > 2)',
    'resource.params.id == principal.subject && resource.uri.startsWith("file:")',
    'args.name.lowerAscii().trim().split(",").size() < 3 && args.name.substring(0, 1).indexOf("a") == 0',
    'request.address.startsWith("10.") && request.era == "modern" && client.id != "" && server.id == "pay"',
  ])('takes %s', (text) => {
    expect(conditionFlaw(text)).toBeUndefined()
  })
})

describe('reads', () => {
  const reads = (text: string) => compileCondition(text).reads

  it.each<[string, string[]]>([
    ['args.a.b > 1 && has(args.c)', ['a', 'b', 'c']],
    ['args.list.exists(x, has(x.force) && x.force)', ['list', 'force']],
    ['has(args.list[0].force)', ['list', 'force']],
    ['"force" in args', ['force']],
    ['args.exists(k, k == "force" || "sudo" != k)', ['force', 'sudo']],
    ['args.exists(k, k in ["force", "sudo"])', ['force', 'sudo']],
    ['("x" in args ? args.y : args.z).force == 1', ['x', 'y', 'z', 'force']],
    // Values, and what is asked of others, are no names of arguments.
    ['args.a == "b" && args.c in ["d"]', ['a', 'c']],
    ['args.a == 1 && principal.claims.unit["b"] == "c" && "admin" in principal.roles', ['a']],
    ['args.a == 1 && principal.groups.exists(g, g == "b") && principal.email.split("@")[1] == "c"', ['a']],
    ['args.a == 1 && tool.annotations.readOnlyHint && resource.params.user == "b"', ['a']],
    ['principal.claims.unit == "x"', []],
  ])('%s: names of arguments', (text, names) => {
    expect([...reads(text).names].sort()).toEqual([...names].sort())
  })

  it('names members of the arguments, and all of them where they are read as one', () => {
    expect(reads('args.a.b > 1 && has(args.c) && args["d-e"] == args.list[0].x').args).toEqual([
      ['a', 'b'],
      ['c'],
      ['d-e'],
      ['list'],
    ])
    expect(reads('args.all(name, name != "x")').args).toEqual([[]])
    expect(reads('args[principal.subject] == 1').args).toEqual([[]])
    expect(reads('"a" in args && "b" in args.list').args).toEqual([['a'], ['list']])
    expect(reads('principal.subject == "x"').args).toEqual([])
  })

  it('names claims, and variables', () => {
    expect(reads('principal.claims.unit == "a" && has(principal.claims.org.name)').claims).toEqual(['unit', 'org'])
    expect(reads('principal.claims.exists(name, name == "x")').claims).toBeUndefined()
    expect(reads('"x" in principal.roles').claims).toEqual([])
    expect([...reads('tool.name == "x" && args.a').variables]).toEqual(['tool', 'args'])
  })
})
