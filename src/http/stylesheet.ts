// The one stylesheet of the pages. System fonts, light and dark by the system's setting, from a narrow phone to a wide screen.

export const STYLESHEET = `
:root {
  color-scheme: light dark;
  --ground: #eef1f4; --card: #ffffff; --line: #d5dbe1; --text: #18212b; --soft: #55616e;
  --accent: #0b5d66; --accent-hover: #084850; --on-accent: #ffffff;
  --field: #ffffff; --field-line: #7d8894;
  --warn: #fff6e0; --warn-line: #d9a421; --warn-text: #5a4100;
  --bad: #fdecea; --bad-line: #c5392c; --bad-text: #7c1d14;
  --good: #e7f5ee; --good-line: #2b8a5b;
  --shadow: 0 1px 2px rgb(16 28 40 / 6%), 0 12px 32px rgb(16 28 40 / 8%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1318; --card: #171e25; --line: #2c3640; --text: #e8edf2; --soft: #a3b0bd;
    --accent: #58c4c9; --accent-hover: #7ad4d8; --on-accent: #06272a;
    --field: #10161c; --field-line: #66737f;
    --warn: #2d2410; --warn-line: #b98a1c; --warn-text: #f4dda6;
    --bad: #331613; --bad-line: #e0685c; --bad-text: #fbcfca;
    --good: #10291e; --good-line: #49a878;
    --shadow: 0 12px 32px rgb(0 0 0 / 35%);
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; display: flex; flex-direction: column; align-items: center;
  padding: 5vh 1rem 2rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
header, main, footer { width: 100%; max-width: 28rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem .625rem; margin-bottom: 1.125rem; padding: 0 .25rem; font-weight: 650; letter-spacing: .01em; }
header img { display: block; width: 1.875rem; height: 1.875rem; }
header .host { flex: 1 1 7rem; font-weight: 400; font-size: .875rem; color: var(--soft); overflow-wrap: anywhere; text-align: right; }
main { background: var(--card); border: 1px solid var(--line); border-radius: 1rem; box-shadow: var(--shadow); padding: 1.75rem; }
footer { margin-top: 1.125rem; padding: 0 .25rem; font-size: .8125rem; color: var(--soft); }
h1 { margin: 0 0 .5rem; font-size: 1.4375rem; line-height: 1.25; font-weight: 680; letter-spacing: -.012em; text-wrap: balance; overflow-wrap: anywhere; }
h2 { margin: 1.5rem 0 .5rem; font-size: .9375rem; font-weight: 650; }
p { margin: 0 0 .875rem; overflow-wrap: anywhere; }
main > :last-child { margin-bottom: 0; }
.soft { color: var(--soft); }
.small { font-size: .875rem; }
a { color: var(--accent); text-underline-offset: .15em; }
code, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .875em; overflow-wrap: anywhere; }
dl { margin: 1.25rem 0 0; border: 1px solid var(--line); border-radius: .75rem; overflow: hidden; }
dl > div { padding: .75rem 1rem; }
dl > div + div { border-top: 1px solid var(--line); }
dt { font-size: .8125rem; color: var(--soft); }
dd { margin: .0625rem 0 0; overflow-wrap: anywhere; }
dd strong { font-weight: 650; }
dd .small { display: block; color: var(--soft); }
dd .mono.small { margin-top: .125rem; font-size: .8125rem; }
ul { margin: 0; padding: 0; list-style: none; }
.scopes li { position: relative; padding: .25rem 0 .25rem 1.625rem; overflow-wrap: anywhere; }
.scopes li::before {
  content: ""; position: absolute; left: .25rem; top: .625rem; width: .4375rem; height: .75rem;
  border: solid var(--accent); border-width: 0 .15rem .15rem 0; transform: rotate(42deg);
}
.entries { display: grid; gap: 1rem; margin-top: 1.25rem; }
.entries > li { padding: 1rem; border: 1px solid var(--line); border-radius: .75rem; }
.entries h2 { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: .25rem .75rem; margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
.entries dl { margin-top: .75rem; }
.entries dl > div { padding: .5rem .75rem; }
.entries .answers { margin-top: .875rem; }
.state { padding: .0625rem .5rem; border: 1px solid var(--line); border-radius: 1rem; font-size: .8125rem; font-weight: 550; color: var(--soft); }
.state.good { background: var(--good); border-color: var(--good-line); color: var(--text); }
.state.bad { background: var(--warn); border-color: var(--warn-line); color: var(--warn-text); }
.note { margin: 1.25rem 0 0; padding: .75rem 1rem; border: 1px solid var(--line); border-left-width: .25rem; border-radius: .5rem; font-size: .9375rem; }
.note p:last-child { margin-bottom: 0; }
.note p { margin-bottom: .375rem; }
.note.warn { background: var(--warn); border-color: var(--warn-line); color: var(--warn-text); }
.note.bad { background: var(--bad); border-color: var(--bad-line); color: var(--bad-text); }
.note.good { background: var(--good); border-color: var(--good-line); }
h1 + .note, p + .note { margin-top: 1rem; }
.note + form { margin-top: 1.25rem; }
form { margin: 0; }
label { display: block; margin: 0 0 .3125rem; font-size: .9375rem; font-weight: 600; }
label .soft { font-weight: 400; }
.field { margin-bottom: 1rem; }
.field .small { display: block; margin-top: .3125rem; color: var(--soft); }
input {
  width: 100%; min-height: 2.875rem; padding: .5rem .75rem; font: inherit; color: inherit;
  background: var(--field); border: 1px solid var(--field-line); border-radius: .5rem;
}
input[aria-invalid="true"] { border-color: var(--bad-line); border-width: 2px; }
button, .button {
  display: flex; align-items: center; justify-content: center; width: 100%; min-height: 2.875rem; padding: .5rem 1.125rem; font: inherit; font-weight: 620; text-align: center;
  text-decoration: none; cursor: pointer; color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent); border-radius: .5rem;
  overflow-wrap: anywhere;
}
button:hover, .button:hover { background: var(--accent-hover); border-color: var(--accent-hover); }
button.second, .button.second { color: var(--text); background: transparent; border-color: var(--field-line); }
button.second:hover, .button.second:hover { border-color: var(--text); background: var(--ground); }
button.plain { width: auto; min-height: 2.75rem; margin: 0 auto; color: var(--soft); background: none; border-color: transparent; font-weight: 500; text-decoration: underline; text-underline-offset: .15em; }
button.plain:hover { color: var(--text); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
[role="alert"]:focus { outline: none; }
.answers { display: grid; gap: .75rem; margin-top: 1.5rem; }
.providers { display: grid; gap: .75rem; margin-top: 1.25rem; }
.or { display: flex; align-items: center; gap: .875rem; margin: 1.25rem 0; color: var(--soft); font-size: .875rem; }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line); }
.leave { margin-top: 1rem; }
div.leave { margin: .625rem 0 -.75rem; }
main > div.leave:last-child { margin-bottom: -.75rem; }
@media (min-width: 30rem) {
  body { padding-top: 9vh; }
  main { padding: 2.25rem; }
  .answers { grid-template-columns: 1fr 1fr; }
  .answers > :first-child { order: 2; }
  .answers > :only-child { grid-column: 1 / -1; }
}
@media (forced-colors: active) { .scopes li::before { border-color: CanvasText; } }
`.trimStart()

// A gate of five bars in an arch: light on the accent's ground, so that it reads on either theme.
export const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0b5d66"/><path d="M7 27V14a9 9 0 0 1 18 0v13M11.5 8v16M16 6v20M20.5 8v16M7 14h18M7 20h18" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>
`
