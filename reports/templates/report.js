"use strict";
// Tables of every point: sorted by a click, filtered by words, drawn a page at a time.
const PAGE = 200;
const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 6 });

function listing(box) {
  const { columns, rows } = JSON.parse(document.getElementById(box.dataset.source).textContent);
  const texts = rows.map((row) => row.join(" ").toLowerCase());
  let order = rows.map((_, index) => index);
  let sorted = { column: 0, down: false };
  let shown = PAGE;

  const filter = Object.assign(document.createElement("input"),
    { type: "search", placeholder: "filter, such as: prefill int8 yes" });
  filter.setAttribute("aria-label", "filter");
  const count = document.createElement("span");
  const scroll = Object.assign(document.createElement("div"), { className: "scroll" });
  const table = scroll.appendChild(document.createElement("table"));
  const head = table.createTHead().insertRow();
  const body = table.createTBody();
  const more = Object.assign(document.createElement("button"), { type: "button" });
  box.append(filter, count, scroll, more);

  columns.forEach((name, column) => {
    const cell = head.appendChild(document.createElement("th"));
    cell.textContent = name;
    cell.addEventListener("click", () => {
      sorted = { column, down: sorted.column === column && !sorted.down };
      sort();
      draw();
    });
  });

  function sort() {
    const { column, down } = sorted;
    const compare = (a, b) => {
      const [x, y] = [rows[a][column], rows[b][column]];
      if (x === y) return a - b;
      if (x === null || y === null) return x === null ? 1 : -1;
      const step = typeof x === "number" && typeof y === "number" ? x - y : String(x) < String(y) ? -1 : 1;
      return down ? -step : step;
    };
    order.sort(compare);
    [...head.cells].forEach((cell, at) => {
      if (at === column) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
  }

  function draw() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kept = order.filter((index) => words.every((word) => texts[index].includes(word)));
    body.replaceChildren(...kept.slice(0, shown).map((index) => {
      const line = document.createElement("tr");
      for (const value of rows[index]) {
        const cell = line.insertCell();
        if (typeof value === "number") cell.className = "n";
        cell.textContent = value === null ? "" : typeof value === "number" ? NUMBER.format(value) : value;
      }
      return line;
    }));
    count.textContent = `${kept.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
    more.hidden = kept.length <= shown;
    more.textContent = `show ${Math.min(PAGE * 10, kept.length - shown).toLocaleString("en")} more`;
  }

  filter.addEventListener("input", () => { shown = PAGE; draw(); });
  more.addEventListener("click", () => { shown += PAGE * 10; draw(); });
  sort();
  draw();
}

document.querySelectorAll(".listing").forEach(listing);
