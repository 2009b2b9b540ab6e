// AnalysisPage: the report as one page that needs nothing but a browser: the numbers as JSON in it, a style
// and a script that draws them. It says itself that it may ask nobody for anything.

/// Makes the page.
enum AnalysisPage {
  /// The whole page, as HTML.
  static func text(_ report: AnalysisReport) -> String {
    // Within a script only '<' can end it; as an escape it means the same to JSON.
    let data = report.json().split(separator: "<", omittingEmptySubsequences: false)
      .joined(separator: "\\u003c")
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
      style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <link rel="icon" href="data:,">
      <title>migr8sync analyze</title>
      <style>
      \(style)
      </style>
      </head>
      <body>
      \(body)
      <script type="application/json" id="data">\(data)</script>
      <script>
      \(script)
      </script>
      </body>
      </html>

      """
  }

  private static let body = """
    <header><h1>Which prefix holds the memory</h1><p id="summary"></p></header>
    <main>
    <section>
    <h2>Map of the memory</h2>
    <nav id="path" aria-label="Prefix"></nav>
    <div id="map" role="group" aria-label="Prefixes by size"></div>
    <p class="hint">A click goes into a prefix, a click above the map out again.</p>
    <p id="move"><span>To move <b id="chosen"></b>: </span><code id="command"></code></p>
    </section>
    <div class="columns">
    <section><h2>Types</h2><div id="types" class="bars"></div></section>
    <section><h2>Encodings</h2><div id="encodings" class="bars"></div></section>
    <section><h2>Time to live</h2><div id="lifetimes" class="bars"></div></section>
    <section><h2 id="hourstitle">Expiries to come</h2><div id="hours" class="columns-chart"></div>
    <p class="hint" id="hourslabel"></p></section>
    </div>
    <section><h2>Prefixes</h2><table id="prefixes"></table></section>
    <section><h2>The biggest keys</h2><table id="biggest"></table></section>
    </main>
    <footer>Memory is an estimate, as MEMORY USAGE counts it. Made by migr8sync analyze.</footer>
    """

  private static let style = """
    :root { --back: #fff; --fore: #1c1e21; --soft: #5d636b; --line: #d9dce0; --bar: #2f6fd0;
      --tile: 213 62%; --shade: #f4f5f7; }
    @media (prefers-color-scheme: dark) { :root { --back: #16181b; --fore: #e6e8eb; --soft: #9aa1aa;
      --line: #34383e; --bar: #6ea2f2; --shade: #1f2226; } }
    * { box-sizing: border-box; }
    body { margin: 0 auto; max-width: 76rem; padding: 1.5rem; background: var(--back);
      color: var(--fore); font: 15px/1.45 system-ui, sans-serif; }
    h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
    header p, .hint, footer { color: var(--soft); } .hint { font-size: .85rem; margin: .3rem 0; }
    footer { margin-top: 2rem; border-top: 1px solid var(--line); padding-top: .6rem; font-size: .85rem; }
    code { background: var(--shade); padding: .15rem .4rem; border-radius: 4px; overflow-wrap: anywhere; }
    #path button { all: unset; cursor: pointer; color: var(--bar); padding: .1rem .3rem; }
    #path button:focus-visible, .tile:focus-visible { outline: 2px solid var(--fore); }
    #map { position: relative; height: 24rem; background: var(--shade); border-radius: 6px;
      overflow: hidden; }
    .tile { position: absolute; border: 1px solid var(--back); color: #fff; overflow: hidden;
      padding: .25rem .4rem; font: inherit; font-size: .8rem; text-align: left; cursor: default; }
    .tile.open { cursor: zoom-in; } .tile b { display: block; overflow: hidden; text-overflow: ellipsis; }
    .tile.rest { background: #777 !important; }
    .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(21rem, 1fr)); gap: 0 2rem; }
    .bar { display: grid; grid-template-columns: 9.5rem 1fr 5rem; gap: .5rem; align-items: center;
      font-size: .85rem; margin: .15rem 0; }
    .bar i { display: block; height: .8rem; background: var(--bar); border-radius: 2px; min-width: 1px; }
    .bar span:last-child, td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
    .columns-chart { display: flex; align-items: flex-end; height: 7rem; gap: 1px;
      border-bottom: 1px solid var(--line); }
    .columns-chart i { flex: 1; background: var(--bar); min-height: 0; }
    table { border-collapse: collapse; width: 100%; font-size: .87rem; }
    th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line);
      overflow-wrap: anywhere; }
    th button { all: unset; cursor: pointer; } th[aria-sort=ascending] button::after { content: " ▲"; }
    th[aria-sort=descending] button::after { content: " ▼"; }
    @media print { body { max-width: none; padding: 0; } .hint, #path { display: none; }
      .tile, .bar i, .columns-chart i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      section { break-inside: avoid-page; } #map { height: 16rem; } }
    """
}
