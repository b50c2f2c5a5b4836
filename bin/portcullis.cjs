#!/usr/bin/env node
// The command for whatever Node is installed: hands over to the pinned Node that came with the package.
// ES5, since an old Node must be able to read it. Signals and the exit code pass through.
'use strict'
var spawn = require('child_process').spawn
var os = require('os')
var path = require('path')

var main = path.join(__dirname, '../src/cli/main.mjs')

// As `engines` of the pinned release line: node:sqlite and type stripping as this program uses them.
function isGoodEnough(version) {
  var parts = version.split('.').map(Number)
  return parts[0] === 24 ? parts[1] >= 16 : parts[0] === 26 ? parts[1] >= 1 : false
}

function findPinned() {
  var platform = process.platform === 'win32' ? 'win' : process.platform
  var program = process.platform === 'win32' ? 'node.exe' : 'node'
  try {
    return require.resolve('node-' + platform + '-' + process.arch + '/bin/' + program)
  } catch (error) {
    return isGoodEnough(process.versions.node) ? process.execPath : undefined
  }
}

var node = findPinned()
if (!node) {
  console.error(
    'portcullis needs Node 24.16 or later of that line; this is ' + process.versions.node + ', and no package with it is\n' +
      'published for ' + process.platform + ' ' + process.arch + '. Install Node 24 from https://nodejs.org and run this again.'
  )
  process.exit(1)
}

// What V8 and Node are told, and what it is worth to a call (docs/decisions/0033):
// - one half of the nursery has 16 MB: with 8 a call costs some percent more, with 32 no less, and V8's own growth to 64 makes a busy gate
//   weigh a hundred more;
// - the main thread empties it alone: the little that lives there is not worth waking others for;
// - the rest is collected when it has doubled: V8 itself waits for a few megabytes only, and some processes then collect all the time;
// - Node's own code lies in pages of 2 MB, where the system has them ("silent": where not, nothing is said).
// `serve` collects by hand, once, what only the start needed.
var flags = ['--max-semi-space-size=16', '--no-parallel-scavenge', '--heap-growing-percent=100', '--use-largepages=silent', '--expose-gc']
var child = spawn(node, flags.concat(main, process.argv.slice(2)), { stdio: 'inherit' })
;['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'].forEach(function (signal) {
  if (process.platform === 'win32' && signal === 'SIGUSR2') return
  process.on(signal, function () {
    child.kill(signal)
  })
})
child.on('error', function (error) {
  console.error('portcullis: ' + node + ' cannot be started: ' + error.message)
  process.exit(1)
})
child.on('exit', function (code, signal) {
  // As a shell reports a program that a signal ended.
  process.exit(signal ? 128 + (os.constants.signals[signal] || 0) : code)
})
