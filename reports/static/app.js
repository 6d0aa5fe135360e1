"use strict";
// Sorting, filtering, column groups and their state in the address. Reads and writes text and classes only.
(() => {
  const say = document.getElementById("live");
  const tables = new Map();
  for (const table of document.querySelectorAll("table[data-id]")) tables.set(table.dataset.id, { table, sort: "", filter: "" });

  // Address: #m.s=column:way&m.q=text&hide=group,group ... An address without "=" is an ordinary anchor.
  const remember = () => {
    const parts = [];
    for (const [id, t] of tables) {
      if (t.sort) parts.push(`${id}.s=${encodeURIComponent(t.sort)}`);
      if (t.filter) parts.push(`${id}.q=${encodeURIComponent(t.filter)}`);
    }
    const hidden = [...document.querySelectorAll("input[data-group]")].filter((i) => i.checked !== i.defaultChecked);
    if (hidden.length) parts.push(`cols=${hidden.map((i) => i.dataset.group).join(",")}`);
    const bare = location.href.split("#")[0];
    try {
      history.replaceState(null, "", parts.length ? `${bare}#${parts.join("&")}` : bare);
    } catch {
      location.hash = parts.join("&"); // some viewers forbid the first on files
    }
  };

  const number = (cell) => (cell && cell.dataset.v !== undefined ? Number(cell.dataset.v) : NaN);
  const words = (cell) => (cell ? (cell.querySelector("bdi") ?? cell).textContent.trim() : "");
  const collate = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  const sort = (t, column, way) => {
    const head = t.heads.find((h) => h.dataset.col === column);
    if (!head || !["best", "worst"].includes(way)) return false;
    const at = head.cellIndex;
    const text = head.dataset.kind === "text";
    const up = (head.dataset.better === "higher") === (way === "worst"); // smallest first
    for (const body of t.table.tBodies) {
      const rows = t.rows.filter((r) => r.parentNode === body);
      const key = new Map(rows.map((r) => [r, text ? words(r.cells[at]) : number(r.cells[at])]));
      const empty = (r) => (text ? key.get(r) === "" : Number.isNaN(key.get(r)));
      rows.sort((a, b) => {
        if (empty(a) || empty(b)) return empty(a) - empty(b) || a.dataset.n - b.dataset.n; // gaps stay last
        const d = text ? collate.compare(key.get(a), key.get(b)) : key.get(a) - key.get(b);
        return (up ? d : -d) || a.dataset.n - b.dataset.n;
      });
      body.append(...rows);
    }
    for (const h of t.heads) {
      if (h === head) h.setAttribute("aria-sort", up ? "ascending" : "descending");
      else h.removeAttribute("aria-sort");
    }
    t.sort = `${column}:${way}`;
    say.textContent = `Sorted by ${head.dataset.name}, ${text ? (up ? "A to Z" : "Z to A") : `${way} first`}.`;
    return true;
  };

  const filter = (t, wanted) => {
    t.filter = wanted;
    const needles = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of t.rows) {
      const hit = needles.every((n) => row.haystack.includes(n));
      row.hidden = !hit;
      shown += hit;
    }
    if (t.count) t.count.textContent = needles.length ? `${shown} of ${t.rows.length} rows` : "";
    if (t.input && t.input.value !== wanted) t.input.value = wanted;
  };

  for (const [id, t] of tables) {
    t.heads = [...t.table.tHead.rows[0].cells].filter((h) => h.dataset.col);
    t.rows = [...t.table.tBodies].flatMap((b) => [...b.rows]).filter((r) => !r.dataset.fixed);
    t.rows.forEach((row, n) => {
      row.dataset.n = n;
      row.haystack = [...row.cells].filter((c) => c.matches("th, .t")).map((c) => c.textContent).join(" ").toLowerCase();
    });
    for (const head of t.heads) {
      const label = head.querySelector(".lab");
      if (!label) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "lab";
      button.append(...label.childNodes);
      label.replaceWith(button);
      button.addEventListener("click", () => {
        sort(t, head.dataset.col, t.sort === `${head.dataset.col}:best` ? "worst" : "best");
        remember();
      });
    }
    t.input = document.querySelector(`input[data-for="${id}"]`);
    t.count = document.querySelector(`output[data-for="${id}"]`);
    if (t.input) t.input.addEventListener("input", () => { filter(t, t.input.value); remember(); });
  }
  for (const box of document.querySelectorAll("input[data-group]")) box.addEventListener("change", remember);

  const restore = () => {
    const text = location.hash.slice(1);
    if (!text.includes("=")) return;
    const state = new URLSearchParams(text);
    for (const [id, t] of tables) {
      const [column, way] = (state.get(`${id}.s`) || "").split(/:(?=[a-z]+$)/);
      if (column) sort(t, column, way);
      filter(t, state.get(`${id}.q`) || "");
    }
    const changed = (state.get("cols") || "").split(",");
    for (const box of document.querySelectorAll("input[data-group]")) {
      box.checked = changed.includes(box.dataset.group) ? !box.defaultChecked : box.defaultChecked;
    }
  };
  restore();
  addEventListener("hashchange", restore);

  // The page carries its own data, for those who have it from a mail and nothing beside it.
  const save = document.getElementById("save");
  save.addEventListener("click", () => {
    const text = document.getElementById("leaderboard-data").textContent;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "leaderboard.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details")) one.open = true;
  });
  document.documentElement.classList.add("scripted");
})();
