// The script of the page: it draws what the JSON object says. Names of keys go in as text, never as HTML.

extension AnalysisPage {
  static let script = #"""
    "use strict";
    const data = JSON.parse(document.getElementById("data").textContent);
    const at = id => document.getElementById(id);
    const units = ["B", "KB", "MB", "GB", "TB"];
    const size = n => { let u = 0; while (n >= 1024 && u < 4) { n /= 1024; u++; }
      return (u && n < 10 ? n.toFixed(2) : n < 100 && u ? n.toFixed(1) : Math.floor(n)) + " " + units[u]; };
    const count = n => n.toLocaleString("en");
    const share = n => (100 * n / Math.max(1, data.memory)).toFixed(1) + " %";
    const nameOf = o => o.prefix ?? o.key ?? "0x" + (o.prefix_hex ?? o.key_hex ?? "");
    const wayOf = o => o.sync ?? "name a file with --config, and put this line into it: " + o.config;
    const make = (tag, text, kind) => { const e = document.createElement(tag);
      if (text !== undefined) e.textContent = text; if (kind) e.className = kind; return e; };

    at("summary").textContent = (data.sampled_keys
      ? `Estimated from a sample of ${count(data.sampled_keys)} of ${count(data.keys_held)} keys. ` : "")
      + `${data.file}: ${count(data.keys)} keys, ${size(data.bytes)} in the file, `
      + `about ${size(data.memory)} in memory; ${count(data.expiring)} keys expire. `
      + new Date(data.time_ms).toISOString().slice(0, 16).replace("T", " ") + " UTC";

    // The map: squarified, so that tiles are near to squares.
    function layout(items, x, y, w, h, out) {
      let rest = items.slice(), total = rest.reduce((s, i) => s + i.memory, 0);
      while (rest.length && total > 0 && w > 0 && h > 0) {
        const side = Math.min(w, h), scale = w * h / total;
        let row = [], sum = 0, worst = Infinity;
        for (const item of rest) {
          const next = sum + item.memory, area = next * scale;
          const big = Math.max(item.memory, ...row.map(r => r.memory)) * scale;
          const small = Math.min(item.memory, ...row.map(r => r.memory)) * scale;
          const ratio = Math.max(side * side * big / (area * area), area * area / (side * side * small));
          if (row.length && ratio > worst) break;
          row.push(item); sum = next; worst = ratio;
        }
        const thick = sum * scale / side; let place = 0;
        for (const item of row) {
          const long = item.memory * scale / thick;
          out.push(w >= h ? [item, x, y + place, thick, long] : [item, x + place, y, long, thick]);
          place += long;
        }
        if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
        total -= sum; rest = rest.slice(row.length);
      }
      return out;
    }

    const root = { prefix: "", memory: data.memory, keys: data.keys, children: data.prefixes };
    let trail = [root];
    function draw() {
      const here = trail[trail.length - 1], map = at("map"), path = at("path");
      path.replaceChildren(...trail.map((node, depth) => {
        const button = make("button", depth ? nameOf(node) : "all keys");
        button.onclick = () => { trail = trail.slice(0, depth + 1); draw(); };
        return button;
      }));
      const items = here.children.filter(c => c.memory > 0).slice(0, 200);
      const left = here.memory - items.reduce((s, c) => s + c.memory, 0);
      if (left > here.memory / 500) items.push({ rest: true, memory: left, children: [] });
      items.sort((a, b) => b.memory - a.memory);
      map.replaceChildren(...layout(items, 0, 0, 100, 100 * map.clientHeight / map.clientWidth, [])
        .map(([item, x, y, w, h], index) => {
          const tile = make("button", undefined, "tile"), tall = 100 * map.clientHeight / map.clientWidth;
          tile.style.cssText = `left:${x}%;top:${100 * y / tall}%;width:${w}%;height:${100 * h / tall}%;`
            + `background:hsl(${(index * 47 + 210) % 360} 45% 38%)`;
          const name = item.rest ? (items.length > 1 ? "others" : "keys") : nameOf(item);
          if (item.rest) tile.classList.add("rest");
          tile.title = `${name}\n${size(item.memory)}, ${share(item.memory)}`
            + (item.keys ? `, ${count(item.keys)} keys` : "");
          if (w > 4 && h > 2) tile.append(make("b", name), size(item.memory));
          if (!item.rest) { tile.classList.add("open"); tile.dataset.prefix = name;
            tile.onclick = () => { trail.push(item); draw(); }; }
          return tile;
        }));
      const chosen = here === root ? data.prefixes[0] : here;
      at("move").hidden = !chosen;
      if (chosen) { at("chosen").textContent = nameOf(chosen); at("command").textContent = wayOf(chosen); }
      if (here === root && (data.sync || data.config)) {
        at("command").textContent = wayOf(data);
        at("chosen").textContent = "the biggest part";
      }
    }
    draw();
    addEventListener("resize", draw);

    function bars(id, groups) {
      const rows = groups.filter(g => g.keys > 0), most = Math.max(1, ...rows.map(g => g.memory));
      at(id).replaceChildren(...rows.map(g => {
        const row = make("div", undefined, "bar"), track = make("span"), bar = make("i");
        bar.style.width = 100 * g.memory / most + "%"; track.append(bar);
        row.title = `${count(g.keys)} keys, ${size(g.bytes)} in the file`;
        row.append(make("span", g.name), track, make("span", size(g.memory)));
        return row;
      }));
    }
    bars("types", data.types); bars("encodings", data.encodings); bars("lifetimes", data.lifetimes);

    const hours = data.expiring_by_hour, soon = hours.slice(0, 48).some(n => n)
      && !hours.slice(48).some(n => n);
    const steps = soon ? hours.slice(0, 48)
      : Array.from({ length: 31 }, (_, d) => hours.slice(d * 24, d * 24 + 24).reduce((s, n) => s + n, 0));
    const most = Math.max(1, ...steps);
    at("hours").replaceChildren(...steps.map((n, i) => { const bar = make("i");
      bar.style.height = 100 * n / most + "%";
      bar.title = `${count(n)} keys in ${i} to ${i + 1} ${soon ? "hours" : "days"}`; return bar; }));
    at("hourslabel").textContent = `The next ${steps.length} ${soon ? "hours" : "days"}; `
      + `the highest column is ${count(Math.max(0, ...steps))} keys.`;

    function table(id, columns, rows, by) {
      let order = by, falling = true;
      const show = () => {
        const [, value] = columns[order];
        const sorted = rows.slice().sort((a, b) => { const x = value(a), y = value(b);
          return (x < y ? -1 : x > y ? 1 : 0) * (falling ? -1 : 1); });
        const head = make("tr");
        columns.forEach(([title, , , isNumber], index) => {
          const cell = make("th", undefined, isNumber ? "n" : ""), button = make("button", title);
          if (index === order) cell.setAttribute("aria-sort", falling ? "descending" : "ascending");
          button.onclick = () => { falling = index === order ? !falling : isNumber; order = index; show(); };
          cell.append(button); head.append(cell);
        });
        at(id).replaceChildren(head, ...sorted.slice(0, 500).map(item => {
          const row = make("tr");
          for (const [, value, text, isNumber] of columns)
            row.append(make("td", (text ?? String)(value(item)), isNumber ? "n" : ""));
          return row;
        }));
      };
      show();
    }
    const flat = []; (function walk(nodes) { for (const n of nodes) { flat.push(n); walk(n.children); } })
      (data.prefixes);
    table("prefixes", [["prefix", nameOf, String], ["keys", p => p.keys, count, true],
      ["expiring", p => p.expiring, count, true], ["in file", p => p.bytes, size, true],
      ["in memory", p => p.memory, size, true], ["share", p => p.memory, share, true]], flat, 4);
    table("biggest", [["key", nameOf, String], ["type", k => k.type], ["encoding", k => k.encoding],
      ["db", k => k.db, String, true], ["in file", k => k.bytes, size, true],
      ["in memory", k => k.memory, size, true], ["expires", k => k.expire_at_ms ?? 0,
        t => t ? new Date(t).toISOString().slice(0, 16).replace("T", " ") : "never"]], data.biggest, 5);
    """#
}
